#include <runtime/engine/compile_queue.hpp>

#include <algorithm>
#include <exception>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <runtime/cache/stored_trace.hpp>
#include <runtime/core/thread_pool.hpp>
#include <runtime/engine/event_log.hpp>

namespace swage {
namespace {

// A tenth of a core where every core is busy. In the idle class (a third of a percent) a compilation of 50 ms took seconds beside a build,
// and a program that grew waited for its plans until it grew again.
constexpr int kNice = 10;

// Down is always allowed. Back up takes a privilege that not every user has.
void set_nice(pid_t thread, int nice) { setpriority(PRIO_PROCESS, static_cast<id_t>(thread), nice); }

}  // namespace

void CompileQueue::submit(CompileJob job, bool background) {
  event_log().add(EventCode::requested, job.trace->trace.id);
  if (!background) {
    compile(std::move(job));
    return;
  }
  std::lock_guard lock(mutex_);
  if (!started_) {
    started_ = true;
    std::thread([this] { work(); }).detach();  // lives as long as the process
  }
  jobs_.push_back(std::move(job));
  wake_.notify_one();
}

void CompileQueue::work() {
  pthread_setname_np(pthread_self(), "swage-compile");
  for (;;) {
    CompileJob job;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return !jobs_.empty() && !stopped_; });
      job = std::move(jobs_.front());
      jobs_.pop_front();
      ++in_hand_;
      worker_ = gettid();
      set_nice(worker_, kNice);
    }
    compile(std::move(job));
    std::lock_guard lock(mutex_);
    --in_hand_;
    done_.notify_all();
  }
}

Compiler& CompileQueue::compiler() {
  const std::lock_guard lock(making_);
  if (!compiler_) {
    if (!factory_) throw CompileError("this build has no compiler");
    compiler_ = factory_();
  }
  return *compiler_;
}

void CompileQueue::compile(CompileJob job) {
  SerialScope alone;
  CompileOutcome outcome;
  const std::uint64_t start = job.clock();
  try {
    Compiler& with = compiler();
    std::lock_guard lock(compiling_);
    outcome.result = with.compile(job.trace->trace, job.escapes);
    if (!outcome.result.plan) outcome.error = "the compiler gave no plan";
  } catch (const std::exception& error) {
    outcome.result = {};
    outcome.error = error.what();
  }
  outcome.ms = static_cast<double>(job.clock() - start) * 1e-6;
  outcome.job = job;
  const bool ok = outcome.error.empty(), assembled = outcome.result.generated == 0;
  event_log().add(!ok         ? EventCode::failed
                  : assembled ? EventCode::assembled
                              : EventCode::compiled,
                  job.trace->trace.id, 0, static_cast<std::uint32_t>(outcome.ms * 1000));
  {
    std::lock_guard lock(mutex_);
    if (ok)
      (assembled ? statistics_.assembled : statistics_.compiled).add(outcome.ms);
    else
      ++statistics_.failed;
    outcomes_.push_back(std::move(outcome));
    finished_.fetch_add(1, std::memory_order_release);
  }
  if (ok && !job.tight) store_trace(job.trace->trace, job.escapes, job.eager_ns);
}

CompileOutcome CompileQueue::recall(CompileJob job, bool partly) {
  CompileOutcome outcome;
  const std::uint64_t start = job.clock();
  try {
    Compiler& with = compiler();
    auto result = partly ? with.recall_partly(job.trace->trace, job.escapes) : with.recall(job.trace->trace, job.escapes);
    if (result) outcome.result = std::move(*result);
  } catch (const std::exception& error) {
    outcome.result = {};
    outcome.error = error.what();
  }
  outcome.ms = static_cast<double>(job.clock() - start) * 1e-6;
  outcome.job = std::move(job);
  if (!outcome.result.plan) return outcome;
  event_log().add(EventCode::assembled, outcome.job.trace->trace.id, 0, static_cast<std::uint32_t>(outcome.ms * 1000));
  const std::lock_guard lock(mutex_);
  statistics_.assembled.add(outcome.ms);
  return outcome;
}

std::vector<CompileOutcome> CompileQueue::collect(const void* stream) {
  std::lock_guard lock(mutex_);
  std::vector<CompileOutcome> mine;
  const auto others = std::stable_partition(outcomes_.begin(), outcomes_.end(),
                                            [&](const CompileOutcome& outcome) { return outcome.job.stream != stream; });
  std::move(others, outcomes_.end(), std::back_inserter(mine));
  outcomes_.erase(others, outcomes_.end());
  return mine;
}

void CompileQueue::forget_code() {
  wait();
  const std::lock_guard lock(making_);
  if (compiler_) compiler_->forget();
}

void CompileQueue::after_fork(bool in_child) {
  if (in_child) {
    jobs_.clear();
    in_hand_ = 0;
    stopped_ = true;
  }
  mutex_.unlock();
}

void CompileQueue::stop() {
  std::unique_lock lock(mutex_);
  jobs_.clear();
  stopped_ = true;
  finish_in_hand(lock);
}

void CompileQueue::wait() {
  std::unique_lock lock(mutex_);
  finish_in_hand(lock);
  while (!jobs_.empty() && !stopped_) {
    CompileJob job = std::move(jobs_.front());
    jobs_.pop_front();
    ++in_hand_;
    lock.unlock();
    compile(std::move(job));
    lock.lock();
    --in_hand_;
    done_.notify_all();
    finish_in_hand(lock);
  }
}

void CompileQueue::finish_in_hand(std::unique_lock<std::mutex>& lock) {
  if (in_hand_ > 0 && worker_ > 0) set_nice(worker_, 0);
  done_.wait(lock, [&] { return in_hand_ == 0; });
}

bool CompileQueue::idle() const {
  std::lock_guard lock(mutex_);
  return jobs_.empty() && in_hand_ == 0;
}

void CompileQueue::Times::add(double ms) {
  if (latest_ms.size() < kLatest)
    latest_ms.push_back(ms);
  else
    latest_ms[count % kLatest] = ms;
  ++count;
  total_ms += ms;
  max_ms = std::max(max_ms, ms);
}

double CompileQueue::Times::median_ms() const {
  if (latest_ms.empty()) return 0;
  std::vector<double> sorted = latest_ms;
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  return *middle;
}

CompileQueue::Statistics CompileQueue::statistics() const {
  std::lock_guard lock(mutex_);
  return statistics_;
}

}  // namespace swage
