// The compile thread: one, of low priority. Traces go in with the mask of what escapes, plans come out through a
// mailbox that streams look into when a segment starts.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <sys/types.h>
#include <thread>
#include <vector>

#include <runtime/engine/engine.hpp>
#include <runtime/engine/known_trace.hpp>

namespace swage {

struct CompileJob {
  std::shared_ptr<KnownTrace> trace;  // only its immutable part is touched by the compile thread
  EscapeMask escapes;
  const void* stream = nullptr;  // who asked
  bool tight = false;            // the mask is a part of what has escaped
  std::uint64_t (*clock)() = nullptr;
  double eager_ns = 0;  // of its kernels, as far as known
};

struct CompileOutcome {
  CompileJob job;
  CompileResult result;  // plan is null on failure
  std::string error;
  double ms = 0;
};

class CompileQueue {
 public:
  explicit CompileQueue(CompilerFactory factory) : factory_(factory) {}

  void submit(CompileJob job, bool background);
  // Assembles a plan of code that is known, on the calling thread. Without a plan and without an error where code is missing.
  CompileOutcome recall(CompileJob job, bool partly = false);
  // What came back for this stream. `changed()` is cheap and may be asked at every segment.
  std::vector<CompileOutcome> collect(const void* stream);
  std::uint64_t finished() const { return finished_.load(std::memory_order_acquire); }
  // Until nothing is left to do. On a busy machine the lowest class hardly runs: who waits lends a hand.
  void wait();
  bool idle() const;
  void forget_code();
  // Forgets what is queued, waits for the job in hand, and takes no more. Must happen before the static objects of the compiler's
  // libraries are destroyed, and those are registered while it compiles: later than any handler of ours could be. Only the
  // destructors of the main thread's thread-local objects run before them all.
  void stop();

  // Around a fork: nothing is half done in the child, and nothing is left to wait for.
  void before_fork() { mutex_.lock(); }
  void after_fork(bool in_child);

  // How long something took, each time. Bounded: of the times themselves only the latest are kept, for their median.
  struct Times {
    static constexpr std::size_t kLatest = 512;
    std::uint64_t count = 0;
    double total_ms = 0, max_ms = 0;
    std::vector<double> latest_ms;

    void add(double ms);
    double median_ms() const;  // of the latest; 0 where there is none
  };
  struct Statistics {
    std::uint64_t failed = 0;
    Times compiled, assembled;  // the plans published, by whether code was generated for them
  };
  Statistics statistics() const;

 private:
  void work();
  void compile(CompileJob job);
  Compiler& compiler();
  void finish_in_hand(std::unique_lock<std::mutex>& lock);

  CompilerFactory factory_;
  std::unique_ptr<Compiler> compiler_;  // made under making_; its `compile` is called under compiling_
  std::mutex making_, compiling_;

  mutable std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::deque<CompileJob> jobs_;
  std::vector<CompileOutcome> outcomes_;
  Statistics statistics_;
  int in_hand_ = 0;   // jobs that somebody compiles now
  pid_t worker_ = 0;  // the compile thread, once it has had a job
  bool started_ = false;
  bool stopped_ = false;
  std::atomic<std::uint64_t> finished_{0};
};

}  // namespace swage
