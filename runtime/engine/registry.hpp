// All streams of the process. Streams are never freed: values may outlive the thread that made them.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include <runtime/engine/stream.hpp>

namespace swage {

class StreamRegistry {
 public:
  static StreamRegistry& get();
  Stream& claim();  // for the calling thread; given back, and used again, when it ends

  template <class F>
  void each(F&& f) {
    std::lock_guard lock(mutex_);
    for (Stream* stream : streams_) f(*stream);
  }

  void before_fork() { mutex_.lock(); }
  template <class F>
  void after_fork(F&& f) {
    for (Stream* stream : streams_) f(*stream);
    mutex_.unlock();
  }

 private:
  void give_back(Stream* stream);

  std::mutex mutex_;
  std::vector<Stream*> streams_, unused_;
};

}  // namespace swage
