// Small runs of every workload, for tests.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include <bench/harness/runner.hpp>

namespace swage::bench {

struct SmallRun {
  std::string workload;
  std::int64_t steps;
  WorkloadOptions options = {};
  std::string label = {};
  bool repeats = true;  // else there is nothing to compile

  std::string name() const { return label.empty() ? workload : label; }
  RunSettings settings(RunTier tier, int threads = 1) const {
    RunSettings settings;
    settings.workload = workload;
    settings.tier = tier;
    settings.steps = steps;
    settings.threads = threads;
    settings.options = options;
    settings.warm_up_seconds = repeats ? 60 : 0.5;
    return settings;
  }
  friend std::ostream& operator<<(std::ostream& out, const SmallRun& run) { return out << run.name(); }
};

inline WorkloadOptions planned(std::int64_t steps, const std::string& optimizer = "sgd") {
  WorkloadOptions options;
  options.steps = steps;
  options.optimizer = optimizer;
  return options;
}

inline std::vector<SmallRun> small_runs() {
  return {{.workload = "seed_rnn", .steps = 120},
          {.workload = "chain", .steps = 120},
          {.workload = "pointwise", .steps = 60, .options = {.log2 = 11}},
          {.workload = "mlp", .steps = 12},
          {.workload = "mlp", .steps = 12, .options = {.optimizer = "adam"}, .label = "mlp_adam"},
          {.workload = "convnet", .steps = 8, .options = {.image = "8x8x1"}},
          {.workload = "digits", .steps = 12},
          {.workload = "lennard_jones", .steps = 12},
          {.workload = "lstm_lm", .steps = 6, .options = {.size = "small"}},
          {.workload = "transformer", .steps = 12, .options = {.size = "small"}},
          {.workload = "softmax", .steps = 12, .options = {.log2 = 12}},
          {.workload = "layer_norm", .steps = 12, .options = {.log2 = 12}},
          {.workload = "gelu", .steps = 12, .options = {.log2 = 11}},
          {.workload = "sum", .steps = 12, .options = {.log2 = 13}},
          {.workload = "axpy", .steps = 12, .options = {.log2 = 11}},
          {.workload = "adam_update", .steps = 12, .options = {.log2 = 11}},
          {.workload = "novel", .steps = 30, .repeats = false},
          {.workload = "stochastic_depth", .steps = 40},
          {.workload = "growing", .steps = 40, .options = planned(40)},
          {.workload = "growing", .steps = 40, .options = planned(40, "adam"), .label = "growing_adam"},
          {.workload = "varlen", .steps = 70},
          {.workload = "agent", .steps = 6},
          {.workload = "drive", .steps = 40},
          {.workload = "memory", .steps = 160},
          {.workload = "online", .steps = 80, .options = {.drift = 20}},
          {.workload = "online", .steps = 80, .options = {.source = "socket", .drift = 20}, .label = "online_socket"}};
}

// While it lives, traces are compiled as soon as they repeat: the policy that weighs costs would let short runs be.
class EagerToCompile {
 public:
  EagerToCompile() : options_(engine_options()) {
    EngineOptions options = options_;
    options.weigh_cost = false;
    set_engine_options(options);
  }
  ~EagerToCompile() { set_engine_options(options_); }
  EagerToCompile(const EagerToCompile&) = delete;
  EagerToCompile& operator=(const EagerToCompile&) = delete;

 private:
  EngineOptions options_;
};

}  // namespace swage::bench
