#include <bench/workloads/state.hpp>

#include <bit>

namespace swage::bench {
namespace {

constexpr std::string_view kModel = "model.", kOptimizer = "optimizer.";

// The entries whose names begin with the prefix, without it.
template <class T>
std::vector<std::pair<std::string, T>> below(std::string_view prefix, const std::vector<std::pair<std::string, T>>& entries) {
  std::vector<std::pair<std::string, T>> found;
  for (const auto& [name, value] : entries)
    if (name.starts_with(prefix)) found.emplace_back(name.substr(prefix.size()), value);
  return found;
}

}  // namespace

void add_state(WorkloadState& state, const nn::Module& model) {
  for (const auto& [name, tensor] : model.state_dict()) state.tensors.emplace_back(std::string(kModel) + name, tensor);
}

void add_state(WorkloadState& state, const optim::Optimizer& optimizer) {
  const optim::OptimizerState saved = optimizer.state();
  for (const auto& [name, tensor] : saved.tensors) state.tensors.emplace_back(std::string(kOptimizer) + name, tensor);
  for (const auto& [name, number] : saved.numbers)
    state.words.emplace_back(std::string(kOptimizer) + name, std::bit_cast<std::uint64_t>(number));
}

void add_state(WorkloadState& state, const data::Batches& batches) {
  const data::BatchPosition position = batches.position();
  state.words.emplace_back("batches.epoch_seed", position.epoch_seed);
  state.words.emplace_back("batches.next", static_cast<std::uint64_t>(position.next));
}

void load_state(const WorkloadState& state, const nn::Module& model) { model.load_state_dict(below(kModel, state.tensors)); }

void load_state(const WorkloadState& state, optim::Optimizer& optimizer) {
  optim::OptimizerState saved{.tensors = below(kOptimizer, state.tensors), .numbers = {}};
  for (const auto& [name, bits] : below(kOptimizer, state.words)) saved.numbers.emplace_back(name, std::bit_cast<double>(bits));
  optimizer.load_state(saved);
}

void load_state(const WorkloadState& state, data::Batches& batches) {
  batches.set_position(
      {.epoch_seed = word(state, "batches.epoch_seed"), .next = static_cast<std::int64_t>(word(state, "batches.next"))});
}

std::uint64_t word(const WorkloadState& state, std::string_view name) {
  for (const auto& [known, value] : state.words)
    if (known == name) return value;
  raise<ValueError>({}, "the saved state lacks '{}'", name);
}

}  // namespace swage::bench
