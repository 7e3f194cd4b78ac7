#include <bench/harness/runner.hpp>

#include <algorithm>
#include <chrono>

#include <bench/harness/break_even.hpp>
#include <bench/harness/checkpoint.hpp>
#include <bench/harness/digest.hpp>
#include <bench/harness/thread_use.hpp>
#include <bench/harness/warm_up.hpp>
#include <runtime/core/allocator.hpp>
#include <runtime/core/error.hpp>
#include <runtime/core/thread_pool.hpp>
#include <runtime/engine/stream.hpp>

namespace swage::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t kSettlingSteps = 50;  // compiled_op_share counts what comes after

double loss_of(const Tensor& loss) { return loss.item(); }

class Run {
 public:
  Run(const RunSettings& settings, const StepObserver& observer)
      : settings_(settings), observer_(observer), info_(*find_workload(settings.workload)) {
    report_.workload = info_.name;
    report_.tier = kRunTierNames[static_cast<std::size_t>(settings.tier)];
    report_.threads = settings.threads;
    report_.seed = settings.options.seed;
    fewest_steps_ = settings.steps > 0 ? settings.steps : settings.seconds > 0 ? kFewestSteps : info_.default_steps;
    report_.unit = info_.unit;
  }

  Report run() {
    manual_seed(settings_.options.seed);
    set_num_threads(settings_.threads);
    prepare_engine();
    if (settings_.tier == RunTier::warm) warm_up();
    measure();
    return std::move(report_);
  }

 private:
  void prepare_engine() {
    EngineOptions options = engine_options();
    options.tier = settings_.tier == RunTier::eager    ? Tier::eager
                   : settings_.tier == RunTier::traced ? Tier::traced
                                                       : Tier::compiled;
    options.remember = settings_.tier == RunTier::warm;
    set_engine_options(options);
    forget_traces();
    forget_code();
    begun_ = engine_stats();
  }

  // A fresh instance, whose construction draws what the seed says.
  std::unique_ptr<Workload> construct(bool rehearsal) {
    manual_seed(settings_.options.seed);
    WorkloadOptions options = settings_.options;
    options.rehearsal = rehearsal;
    if (options.steps == 0) options.steps = fewest_steps_;
    auto workload = info_.make(options);
    swage::step();
    digest_ = Digest();
    done_before_ = 0;
    if (!settings_.load.empty()) {
      const RunProgress progress = load_run(settings_.load, info_.name, *workload);
      digest_ = Digest(progress.digest);
      done_before_ = progress.steps;
      swage::step();
    }
    return workload;
  }

  // One step, timed; the digest takes in what it leaves. The outputs live until the next call.
  double step(Workload& workload) {
    outputs_ = {};
    const ThreadUse before = thread_use();
    const auto start = Clock::now();
    outputs_ = workload.step();
    const double microseconds = std::chrono::duration<double, std::micro>(Clock::now() - start).count();
    const ThreadUse after = thread_use();
    faults_ += after.minor_faults - before.minor_faults;
    if (after.allocations) allocations_ += *after.allocations - *before.allocations;
    if (hashing_) hash(outputs_);
    ++process_steps_;
    stats_ = engine_stats();
    const bool compiled = stats_.compiled_ops > begun_.compiled_ops;
    if (!report_.first_compiled_step && compiled) report_.first_compiled_step = process_steps_;
    break_even_.observe(microseconds, compiled, stats_.compile_ms_total - begun_.compile_ms_total);
    return microseconds;
  }

  void hash(const StepOutputs& outputs) {
    digest_.add(outputs.loss);
    for (const Tensor& output : outputs.outputs) digest_.add(output);
  }

  void observe(Workload& workload, std::int64_t step, double microseconds, bool warming_up) {
    if (observer_)
      observer_({step, warming_up || settings_.seconds > 0 ? 0 : fewest_steps_, warming_up, microseconds, outputs_, workload,
                 stats_});
  }

  void warm_up() {
    WarmUp warm_up(settings_.warm_up_seconds);
    auto workload = construct(true);
    do {
      const double microseconds = step(*workload);
      observe(*workload, process_steps_, microseconds, true);
      wait_for_compiler();
    } while (!warm_up.done(stats_));
    outputs_ = {};
    workload.reset();
  }

  void measure() {
    auto workload = construct(false);
    reset_peak_memory();
    const EngineStats before = engine_stats();
    EngineStats settled = before;
    const std::int64_t settling = std::min(kSettlingSteps, fewest_steps_ / 2);
    std::vector<double> times;
    times.resize(static_cast<std::size_t>(fewest_steps_));  // touched, so that what grows later is not this
    times.clear();
    double total = 0;
    std::int64_t units = 0;
    for (std::int64_t i = 1; i <= fewest_steps_ || total < settings_.seconds * 1e6; ++i) {
      times.push_back(step(*workload));
      total += times.back();
      units += workload->units_per_step();
      note_values(i);
      if (i == fewest_steps_ && settings_.seconds > 0 && settings_.save.empty()) finish_digest(*workload);
      if (i == settling) {
        settled = stats_;
        faults_ = allocations_ = 0;
      }
      observe(*workload, i, times.back(), false);
    }
    report_.steps = static_cast<std::int64_t>(times.size());
    if (outputs_.loss.defined()) report_.loss_last = loss_of(outputs_.loss);
    const auto settled_steps = static_cast<double>(report_.steps - settling);
    report_.minor_faults_per_step = static_cast<double>(faults_) / settled_steps;
    if (thread_use().allocations) report_.allocs_per_step = static_cast<double>(allocations_) / settled_steps;
    report_.break_even_step = break_even_.step();
    report_.peak_bytes = memory_stats().peak_bytes;
    report_.set_step_times(std::move(times), units);
    count(before, settled);
    count_compilations();
    if (!settings_.save.empty())
      save_run(settings_.save, info_.name, *workload, {done_before_ + report_.steps, digest_.value()});
    if (hashing_) finish_digest(*workload);
    outputs_ = {};
    report_.figures = workload->figures();
  }

  // What other systems must agree with.
  void note_values(std::int64_t step) {
    if (step == 1) report_.first_output = root_mean_square({outputs_.outputs.begin(), outputs_.outputs.size()});
    if (!outputs_.loss.defined() || report_.first_losses.size() >= kFirstLosses) return;
    report_.first_losses.push_back(loss_of(outputs_.loss));
    report_.loss_first = report_.first_losses.front();
  }

  void count(const EngineStats& before, const EngineStats& settled) {
    const auto share = [](std::uint64_t part, std::uint64_t all) {
      return all == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(all);
    };
    report_.ops_per_step = share(stats_.ops - before.ops, static_cast<std::uint64_t>(report_.steps));
    report_.compiled_op_share = share(stats_.compiled_ops - settled.compiled_ops, stats_.ops - settled.ops);
    report_.hits = stats_.hits - before.hits;
    report_.misses = stats_.misses - before.misses;
    report_.side_exits = stats_.side_exits - before.side_exits;
  }

  // What covers the whole process. A compilation that is still under way is waited for.
  void count_compilations() {
    wait_for_compiler();
    const EngineStats stats = engine_stats();
    report_.traces = stats_.traces - begun_.traces;
    report_.compiles = stats.compiles - begun_.compiles;
    if (report_.compiles == 0) return;
    report_.compile_ms_p50 = stats.compile_ms_p50;
    report_.compile_ms_max = stats.compile_ms_max;
    report_.compile_ms_total = stats.compile_ms_total - begun_.compile_ms_total;
  }

  void finish_digest(Workload& workload) {
    hashing_ = false;
    const WorkloadState state = workload.state();
    for (const auto& [name, tensor] : state.tensors) {
      digest_.add(name);
      digest_.add(tensor);
    }
    for (const auto& [name, word] : state.words) {
      digest_.add(name);
      digest_.add(word);
    }
    digest_.add(Stream::current().random_state().offset);
    report_.digest = digest_.text();
  }

  const RunSettings& settings_;
  const StepObserver& observer_;
  const WorkloadInfo& info_;
  Report report_;
  Digest digest_;
  bool hashing_ = true;
  StepOutputs outputs_;
  EngineStats begun_, stats_;
  BreakEven break_even_;
  std::int64_t fewest_steps_ = 0;
  std::uint64_t faults_ = 0, allocations_ = 0;  // in steps, since the last reset
  std::int64_t process_steps_ = 0;              // warm-up included
  std::int64_t done_before_ = 0;                // in the process that saved what was loaded
};

}  // namespace

std::optional<RunTier> run_tier_by_name(std::string_view name) {
  const auto* found = std::find(kRunTierNames.begin(), kRunTierNames.end(), name);
  if (found == kRunTierNames.end()) return {};
  return static_cast<RunTier>(found - kRunTierNames.begin());
}

Report run_workload(const RunSettings& settings, const StepObserver& observer) {
  if (!find_workload(settings.workload)) raise<ValueError>({}, "there is no workload '{}'", settings.workload);
  // Restored at the end, also by an error.
  struct Batching {
    bool before = batching();
    ~Batching() { set_batching(before); }
  } const restored;
  set_batching(!settings.no_batch);
  return Run(settings, observer).run();
}

}  // namespace swage::bench
