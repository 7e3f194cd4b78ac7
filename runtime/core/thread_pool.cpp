#include <runtime/core/thread_pool.hpp>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <immintrin.h>
#include <mutex>
#include <thread>
#include <vector>

#include <runtime/core/error.hpp>

namespace swage {
namespace {

thread_local bool serial = false;

// One job at a time: the caller is worker 0. Workers spin for a few microseconds for the next job, then sleep.
class Pool {
 public:
  ~Pool() { stop(); }

  int threads() const { return threads_; }

  void resize(int threads) {
    std::lock_guard guard(run_mutex_);
    stop();
    threads_ = threads;
    stopping_ = false;
    const std::uint64_t seen = generation_.load();
    for (int worker = 1; worker < threads; ++worker) workers_.emplace_back([this, worker, seen] { work(worker, seen); });
  }

  void run(std::int64_t extent, std::int64_t grain, RangeFunction f, void* context) {
    std::unique_lock guard(run_mutex_, std::try_to_lock);
    if (!guard.owns_lock()) {  // another user thread has the pool: work alone, the bits are the same
      f(context, 0, extent, 0);
      return;
    }
    job_ = {f, context, extent, grain};
    remaining_.store(threads_ - 1, std::memory_order_relaxed);
    {
      std::lock_guard lock(mutex_);
      generation_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
    run_part(0);
    // A worker may have lost its core to another process: give it ours rather than spin against it.
    for (int spin = 0; remaining_.load(std::memory_order_acquire) != 0; ++spin) {
      if (spin < 4000)
        _mm_pause();
      else
        std::this_thread::yield();
    }
  }

 private:
  struct Job {
    RangeFunction f = nullptr;
    void* context = nullptr;
    std::int64_t extent = 0, grain = 1;
  };

  void run_part(int worker) {
    const std::int64_t grains = (job_.extent + job_.grain - 1) / job_.grain;
    const std::int64_t begin = std::min(grains * worker / threads_ * job_.grain, job_.extent);
    const std::int64_t end = std::min(grains * (worker + 1) / threads_ * job_.grain, job_.extent);
    if (begin < end) {
      SerialScope alone;
      job_.f(job_.context, begin, end, worker);
    }
  }

  void work(int worker, std::uint64_t seen) {
    serial = true;
    for (;;) {
      for (int spin = 0; spin < 2000 && generation_.load(std::memory_order_acquire) == seen; ++spin) _mm_pause();
      if (generation_.load(std::memory_order_acquire) == seen) {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return stopping_ || generation_.load(std::memory_order_acquire) != seen; });
        if (stopping_) return;
      }
      seen = generation_.load(std::memory_order_acquire);
      run_part(worker);
      remaining_.fetch_sub(1, std::memory_order_release);
    }
  }

  void stop() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
    workers_.clear();
  }

  int threads_ = 1;
  std::vector<std::thread> workers_;
  std::mutex run_mutex_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::atomic<std::uint64_t> generation_{0};
  std::atomic<int> remaining_{0};
  Job job_;
};

Pool& pool() {
  static auto* pool = new Pool;
  return *pool;
}

}  // namespace

int num_threads() { return pool().threads(); }

void set_num_threads(int threads) {
  if (threads < 1 || threads > 64) raise<ValueError>({}, "the number of threads must be between 1 and 64, not {}", threads);
  if (threads != pool().threads()) pool().resize(threads);
}

bool inside_parallel_region() { return serial; }

SerialScope::SerialScope() : outer_(serial) { serial = true; }
SerialScope::~SerialScope() { serial = outer_; }

void parallel_for(std::int64_t extent, std::int64_t grain, RangeFunction f, void* context) {
  if (extent <= 0) return;
  if (serial || pool().threads() == 1 || extent <= grain)
    f(context, 0, extent, 0);
  else
    pool().run(extent, grain, f, context);
}

}  // namespace swage
