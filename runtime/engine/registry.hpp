// All streams of the process. Streams are never freed: values may outlive the thread that made them.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <vector>

#include <runtime/engine/stream.hpp>

namespace swage {

// The stream of this number, not the value's own, has deferred an op on the storage.
void note_user(Value& owner, std::uint32_t number, bool writes) noexcept;

class StreamRegistry {
 public:
  static StreamRegistry& get();
  Stream& claim();  // for the calling thread; given back, and used again, when it ends
  // A reference of `stream` to be taken off by its thread, or at once where it has none.
  void post(Stream& stream, Value* value) noexcept;
  // Computes what `stream` has deferred, for a thread that is not its own. Waits until its thread is not inside the engine; the
  // caller must not be either. False where the system cannot do that. Raises what computing raises.
  bool settle(Stream& stream);
  // The same for the streams noted as users of a storage, but for `self`.
  bool settle_users(std::uint32_t users, const Stream& self);
  // Takes off what has been posted to the calling thread's stream.
  void collect(Stream& stream) noexcept;

  template <class F>
  void each(F&& f) {
    std::lock_guard lock(mutex_);
    for (Stream* stream : streams_) f(*stream);
  }

  void before_fork() { mutex_.lock(); }
  template <class F>
  void after_fork(bool in_child, F&& f) {
    for (Stream* stream : streams_) f(*stream);
    if (in_child)
      new (&mutex_) std::recursive_mutex;  // its owner has another thread id here: it cannot be unlocked
    else
      mutex_.unlock();
  }

 private:
  void give_back(Stream* stream);

  // Held while acting for a stream without a thread; what dies there may be posted to another one.
  std::recursive_mutex mutex_;
  std::vector<Stream*> streams_, unused_;
  std::uint64_t lost_ = 0;  // references that could not be posted for want of memory
};

}  // namespace swage
