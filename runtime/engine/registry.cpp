#include <runtime/engine/registry.hpp>

#include <new>
#include <unistd.h>

#include <runtime/engine/stream_impl.hpp>

namespace swage {
namespace {

// The calling thread is the stream's while this lives.
class ActingFor {
 public:
  explicit ActingFor(Recorder& other) : own_(recorder) { use_recorder(&other); }
  ~ActingFor() { use_recorder(own_->stream ? own_ : nullptr); }
  ActingFor(const ActingFor&) = delete;
  ActingFor& operator=(const ActingFor&) = delete;

 private:
  Recorder* own_;
};

}  // namespace

StreamRegistry& StreamRegistry::get() {
  static auto* registry = new StreamRegistry;
  return *registry;
}

Stream& StreamRegistry::claim() {
  struct Claim {
    Stream* stream = nullptr;
    ~Claim() {
      if (!stream) return;
      StreamRegistry::get().give_back(stream);
      use_recorder(nullptr);
      if (gettid() == getpid()) shared_engine().queue->stop();  // the process ends
    }
  };
  static thread_local Claim claim;
  std::lock_guard lock(mutex_);
  if (unused_.empty()) {
    streams_.push_back(Stream::create());
    unused_.push_back(streams_.back());
  }
  claim.stream = unused_.back();
  unused_.pop_back();
  claim.stream->impl().has_thread = true;
  return *claim.stream;
}

void StreamRegistry::give_back(Stream* stream) {
  // What is still deferred is lost with its thread; values that outlive it must not be read.
  Stream::Impl& impl = stream->impl();
  if (impl.open) {
    impl.owners.clear();
    for (const ValueHalf& half : impl.window.values)
      if (half.result && half.result->pending()) impl.owners.push_back(half.result->owner());
    impl.poison();
    impl.close();
  }
  std::lock_guard lock(mutex_);
  collect(*stream);
  impl.has_thread = false;
  unused_.push_back(stream);
}

void StreamRegistry::post(Stream& stream, Value* value) noexcept {
  Stream::Impl& impl = stream.impl();
  std::lock_guard lock(mutex_);
  if (!impl.has_thread) {
    const ActingFor stream_without_thread(impl.window);
    release(value);
    return;
  }
  try {
    impl.mail.push_back(value);
    impl.has_mail.store(true, std::memory_order_release);
  } catch (const std::bad_alloc&) {  // the value stays: a leak is all that can still be chosen
  }
}

void StreamRegistry::collect(Stream& stream) noexcept {
  Stream::Impl& impl = stream.impl();
  while (impl.has_mail.load(std::memory_order_acquire)) {
    std::vector<Value*> mail;
    {
      std::lock_guard lock(mutex_);
      mail.swap(impl.mail);
      impl.has_mail.store(false, std::memory_order_relaxed);
    }
    for (Value* value : mail) release(value);
  }
}

}  // namespace swage
