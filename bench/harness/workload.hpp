// A workload: a small program that is run step by step and measured. Each is one readable file in bench/workloads, which doubles as
// an example of the API.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <swage/swage.hpp>

namespace swage::bench {

// What the command line may choose. A workload reads what concerns it.
struct WorkloadOptions {
  std::uint64_t seed = 1;
  std::string optimizer = "sgd";  // sgd or adam
  std::string image = "32x32x3";  // height x width x channels
  int log2 = 16;                  // 2^log2 elements
  std::string size = "full";      // or small: a model that tests can afford
  bool random_batches = false;    // digits, transformer: every step takes a batch of a random size
  std::filesystem::path data = default_data_folder();
  std::int64_t bulk = 1;               // treelstm, tagger, char_tagger, reroute: sentences or samples a step
  std::int64_t batch = 64;             // rnnlm: sentences a step
  std::optional<double> novelty = {};  // treelstm, reroute, mlp: percent of the steps with structures that are new to the run
  std::string source = "generator";    // online: or socket
  std::int64_t drift = 100'000;        // online: samples from one drift to the next
  bool rehearsal = false;              // set by the harness: this instance warms up and is not the one that is measured
  std::int64_t steps = 0;              // how many are planned in all; 0: those of this run, which the harness fills in

  bool small() const { return size == "small"; }

  // Public data sets: `data` where it was named, else the folder that SWAGE_DATA names; empty where there is none.
  std::filesystem::path public_data() const;
  static std::filesystem::path default_data_folder();  // of the files that the project brings along
};

// A few tensors, held inline: a step should not call the allocator for the sake of being measured.
class OutputList {
 public:
  static constexpr std::size_t kMost = 4;

  OutputList() = default;
  OutputList(std::initializer_list<Tensor> tensors);  // raises ValueError above kMost

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const Tensor& front() const { return tensors_[0]; }
  const Tensor& operator[](std::size_t i) const { return tensors_[i]; }
  const Tensor* begin() const { return tensors_.data(); }
  const Tensor* end() const { return tensors_.data() + size_; }

 private:
  std::array<Tensor, kMost> tensors_;
  std::size_t size_ = 0;
};

// What a step leaves for the world to see: hashed after every step, in this order.
struct StepOutputs {
  Tensor loss;         // undefined where there is none
  OutputList outputs;  // final outputs, and gradients that no optimiser consumes
};

// All that later steps depend on, but for the random generator: parameters, buffers, the optimiser's state, the place in the data.
struct WorkloadState {
  std::vector<std::pair<std::string, Tensor>> tensors;       // the workload's own, not copies
  std::vector<std::pair<std::string, std::uint64_t>> words;  // exact numbers; floating ones by their bits
};

// Constructing one draws everything from the generator, which the harness has seeded.
class Workload {
 public:
  virtual ~Workload() = default;

  // One step. Ends by settling what it returns: with `optimizer.step()` or `swage::step()`.
  virtual StepOutputs step() = 0;
  virtual std::int64_t units_per_step() const = 0;  // of the latest step, where they differ

  virtual WorkloadState state() { return {}; }
  // Takes over what `state()` gave in another process. Raises a swage::Error where it is not of this workload.
  virtual void load_state(const WorkloadState&) {}

  // Further figures of a finished run, such as the accuracy on held-out data.
  virtual std::map<std::string, double> figures() { return {}; }
};

struct WorkloadInfo {
  std::string_view name;
  std::string_view summary;  // one line
  std::string_view unit;     // what `units_per_step` counts
  std::int64_t default_steps;
  std::unique_ptr<Workload> (*make)(const WorkloadOptions& options);
};

std::span<const WorkloadInfo> workloads();
const WorkloadInfo* find_workload(std::string_view name);  // null where there is none

}  // namespace swage::bench
