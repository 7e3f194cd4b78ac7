// A fork copies one thread of many: in the child no compile thread runs, and whatever the others held stays held. A child that
// starts another program is none the wiser; one that calls an op is told so.
#include <pthread.h>

#include <runtime/core/error.hpp>
#include <runtime/engine/event_log.hpp>
#include <runtime/engine/registry.hpp>
#include <runtime/engine/stream_impl.hpp>

namespace swage {
namespace {

SharedEngine* forking = nullptr;

void before() {
  StreamRegistry::get().before_fork();
  forking->queue->before_fork();
  event_log().before_fork();
}
void after(bool in_child) {
  event_log().after_fork(in_child);
  forking->queue->after_fork(in_child);
  forking->forked |= in_child;
  StreamRegistry::get().after_fork(in_child, [&](Stream& stream) {
    if (in_child) stream.impl().abandon();
  });
}

}  // namespace

void refuse_after_fork(SharedEngine& engine) {
  forking = &engine;
  pthread_atfork(&before, [] { after(false); }, [] { after(true); });
}

void raise_forked(const OpCall& call) {
  raise<ValueError>(
      call.site,
      "[{}] this process was forked from one that uses swage, whose threads it lacks: fork before the first op, or "
      "start the child with exec (posix_spawn, or multiprocessing's \"spawn\")",
      name_of(call.op));
}

// The window stays as it is, for values refer to it; it is no longer open, and nothing that was deferred will be computed.
void Stream::Impl::abandon() noexcept {
  for (ValueHalf& half : window.values)
    if (half.result && half.result->pending()) half.result->owner()->flags |= Value::kPoisoned;
  window.epoch = kNoEpoch;
  open = false;
}

}  // namespace swage
