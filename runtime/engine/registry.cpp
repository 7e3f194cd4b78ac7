#include <runtime/engine/registry.hpp>

#include <linux/membarrier.h>
#include <new>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include <runtime/core/error.hpp>
#include <runtime/engine/event_log.hpp>
#include <runtime/engine/stream_impl.hpp>

namespace swage {
namespace {

// The calling thread is the stream's while this lives. Under the registry's mutex, where the stream has no thread or that is kept out.
// The thread counts as being inside the engine, but without asking whether its own window is revoked: it does not touch that one, and
// two threads may act for each other.
class ActingFor {
 public:
  explicit ActingFor(Recorder& other) : acted_for_(*recorder), own_(*own_recorder) {
    own_.depth.store(own_.depth.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    act_for(other);
  }
  ~ActingFor() {
    act_for(acted_for_);
    own_.depth.store(own_.depth.load(std::memory_order_relaxed) - 1, std::memory_order_release);
  }
  ActingFor(const ActingFor&) = delete;
  ActingFor& operator=(const ActingFor&) = delete;

 private:
  Recorder& acted_for_;
  Recorder& own_;
};

bool register_barrier() { return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0; }
void barrier_in_all_threads() { syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0); }

// Keeps a stream's thread out of the engine: one asker at a time. Waits until it is out, so the caller holds no lock and is out itself.
class Revoked {
 public:
  explicit Revoked(Recorder& window) : window_(window) {
    while (window.revoked.exchange(true)) std::this_thread::yield();
    barrier_in_all_threads();
    while (window.depth.load(Engaged::kLoad) != 0) std::this_thread::yield();
  }
  ~Revoked() { window_.revoked.store(false); }
  Revoked(const Revoked&) = delete;
  Revoked& operator=(const Revoked&) = delete;

 private:
  Recorder& window_;
};

// Free values of the stream's last thread are the calling thread's.
void take_values(Value*& left) {
  Value** end = &free_values;
  while (*end) end = &(*end)->base;
  *end = std::exchange(left, nullptr);
}

}  // namespace

void note_user(Value& owner, std::uint32_t number, bool writes) noexcept {
  constexpr std::uint32_t kWritten = Value::kWrittenElsewhere;
  std::uint32_t seen = owner.users_elsewhere.load(std::memory_order_relaxed), wanted = 0;
  do {
    const std::uint32_t before = seen & ~kWritten;
    wanted = (before == 0 || before == number ? number : Value::kSeveral) | (seen & kWritten) | (writes ? kWritten : 0);
    if (wanted == seen) return;
  } while (!owner.users_elsewhere.compare_exchange_weak(seen, wanted, std::memory_order_release, std::memory_order_relaxed));
}

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
      if (gettid() == getpid()) shared_engine().queue->stop();  // the process ends
    }
  };
  static thread_local Claim claim;
  std::lock_guard lock(mutex_);
  if (unused_.empty()) {
    streams_.push_back(Stream::create());
    streams_.back()->impl().number = static_cast<std::uint32_t>(streams_.size());
    unused_.push_back(streams_.back());
  }
  Stream* const stream = unused_.back();
  unused_.pop_back();
  claim.stream = stream;
  Stream::Impl& impl = stream->impl();
  {
    const ActingFor itself(impl.window);
    try {  // what the thread before left deferred
      impl.cut(CutReason::flush, {});
    } catch (const Error& error) {  // its results are poisoned: whoever reads them is told
      event_log().remark(error.what());
    }
  }
  impl.has_thread = true;
  take_values(impl.free_values);
  use_recorder(&impl.window);
  return *stream;
}

// What is still deferred and held somewhere stays so: who needs it, or the stream's next thread, settles it. So do writes in place.
void StreamRegistry::give_back(Stream* stream) {
  const Engaged engaged;
  Stream::Impl& impl = stream->impl();
  collect(*stream);
  if (!impl.open || !impl.is_needed()) impl.close();
  std::lock_guard lock(mutex_);
  collect(*stream);
  impl.free_values = std::exchange(free_values, nullptr);
  impl.has_thread = false;
  use_recorder(nullptr);
  unused_.push_back(stream);
}

bool StreamRegistry::settle_users(std::uint32_t users, const Stream& self) {
  std::vector<Stream*> found;
  {
    std::lock_guard lock(mutex_);
    for (Stream* stream : streams_) {
      const std::uint32_t number = stream->impl().number, noted = users & ~Value::kWrittenElsewhere;
      if (stream != &self && (noted == number || noted == Value::kSeveral)) found.push_back(stream);
    }
  }
  for (Stream* stream : found)
    if (epoch_of(stream->impl().deferring_since) != kNoEpoch && !settle(*stream)) return false;
  return true;
}

bool StreamRegistry::settle(Stream& stream) {
  static const bool possible = register_barrier();
  if (!possible) return false;
  Stream::Impl& impl = stream.impl();
  const Revoked thread(impl.window);
  std::lock_guard lock(mutex_);
  const ActingFor owner(impl.window);
  if (impl.open && impl.mode == WindowMode::deferring) impl.leave(nullptr);
  return true;
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
  } catch (const std::bad_alloc&) {
    ++lost_;  // the value stays: a leak is all that can still be chosen
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
