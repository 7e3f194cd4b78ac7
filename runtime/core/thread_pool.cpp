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

// In ticks of the time stamp counter. A worker waits at full speed for the next job for some 20 µs and then lets others have its
// core in between, for some 200 µs in all: longer than what a step does between two jobs (waking a thread takes about 60 µs).
constexpr std::uint64_t kSpin = 60'000;
constexpr std::uint64_t kWait = 600'000;

// True as soon as `ready()` is; false after `ticks`, if that is not 0. Without pause instructions: a hypervisor takes the core
// away from who issues thousands of them in a row, and gives it back 50 µs later.
template <class Ready>
bool wait_for(std::uint64_t ticks, Ready&& ready) {
  for (const std::uint64_t start = __rdtsc(); !ready();) {
    const std::uint64_t waited = __rdtsc() - start;
    if (ticks != 0 && waited > ticks) return false;
    if (waited > kSpin) std::this_thread::yield();
  }
  return true;
}

// One job at a time: the caller is worker 0. Workers wait for the next job for a while, then sleep. A part is claimed before it is
// run: the caller takes those of workers that have not turned up by the time its own is done, so that a worker that sleeps, or
// has lost its core to another process, holds up nobody. Who runs a part changes nothing in it.
class Pool {
 public:
  ~Pool() { stop(); }

  int threads() const { return threads_; }

  void resize(int threads) {
    std::lock_guard guard(run_mutex_);
    stop();
    threads_ = threads;
    stopping_ = false;
    claims_ = std::vector<Claim>(static_cast<std::size_t>(threads));
    for (Claim& claim : claims_) claim.generation = generation_.load();
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
    const std::uint64_t generation = generation_.fetch_add(1) + 1;
    if (sleepers_.load() != 0) {
      std::lock_guard lock(mutex_);  // who has just looked at the generation is waiting by now
      wake_.notify_all();
    }
    run_part(0);
    for (int worker = 1; worker < threads_; ++worker) run_claimed(worker, generation);
    wait_for(0, [&] { return remaining_.load(std::memory_order_acquire) == 0; });
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

  struct alignas(64) Claim {
    std::atomic<std::uint64_t> generation{0};  // the last job whose part was claimed
  };

  void run_claimed(int worker, std::uint64_t generation) {
    std::atomic<std::uint64_t>& claim = claims_[static_cast<std::size_t>(worker)].generation;
    std::uint64_t last = claim.load();
    if (last >= generation || !claim.compare_exchange_strong(last, generation)) return;
    run_part(worker);
    remaining_.fetch_sub(1, std::memory_order_release);
  }

  void work(int worker, std::uint64_t seen) {
    serial = true;
    for (;;) {
      const auto called = [&] { return generation_.load() != seen; };
      if (!wait_for(kWait, called)) {
        std::unique_lock lock(mutex_);
        sleepers_.fetch_add(1);
        wake_.wait(lock, [&] { return stopping_ || called(); });
        sleepers_.fetch_sub(1);
        if (stopping_) return;
      }
      seen = generation_.load();
      run_claimed(worker, seen);
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
  std::vector<Claim> claims_;  // by worker
  std::mutex run_mutex_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::atomic<std::uint64_t> generation_{0};
  std::atomic<int> remaining_{0};
  std::atomic<int> sleepers_{0};
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
