// A recurrent network over sequences of ever other lengths: a tanh cell with biases, 64 inputs and 64 units, batch 8. Sequence i has
// 5 + (7919·i mod 40) elements, i = 0…59, then from the start again. The loss is the sum of squares of the last state; forward and backward,
// no update. The first pass meets every length for the first time and is timed apart from the later ones.
#include <chrono>

#include <bench/workloads/all.hpp>
#include <bench/workloads/state.hpp>
#include <swage/swage.hpp>

namespace swage::bench {
namespace {

constexpr std::int64_t kBatch = 8, kInputs = 64, kUnits = 64, kLongest = 44;
constexpr std::uint64_t kSequences = 60;

struct Network final : nn::Module {
  nn::Linear input{kInputs, kUnits}, hidden{kUnits, kUnits};
  Network() { register_module("input", input), register_module("hidden", hidden); }
  // The last state, of a sequence of shape {length, batch, inputs}.
  Tensor forward(const Tensor& sequence) override {
    Tensor h = zeros({kBatch, kUnits});
    for (std::int64_t t = 0; t < sequence.size(0); ++t) h = tanh(input(sequence[t]) + hidden(h));
    return h;
  }
};

class Varlen final : public Workload {
 public:
  explicit Varlen(const WorkloadOptions&) : parameters_(model_.parameters()), x_(randn({kLongest, kBatch, kInputs})) {}

  StepOutputs step() override {
    const auto start = std::chrono::steady_clock::now();
    StepOutputs outputs = next_length();
    Pass& pass = first_.steps < kSequences ? first_ : later_;
    pass.milliseconds += std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    ++pass.steps;
    return outputs;
  }
  std::int64_t units_per_step() const override { return 1; }

  // Milliseconds a step.
  std::map<std::string, double> figures() override {
    std::map<std::string, double> figures;
    if (first_.steps > 0) figures["first_pass_ms"] = first_.milliseconds / static_cast<double>(first_.steps);
    if (later_.steps > 0) figures["later_pass_ms"] = later_.milliseconds / static_cast<double>(later_.steps);
    return figures;
  }

  WorkloadState state() override {
    WorkloadState state;
    add_state(state, model_);
    state.words.emplace_back("next", next_);
    return state;
  }
  void load_state(const WorkloadState& state) override {
    bench::load_state(state, model_);
    next_ = word(state, "next") % kSequences;
  }

 private:
  struct Pass {
    double milliseconds = 0;
    std::uint64_t steps = 0;
  };

  StepOutputs next_length() {
    const auto length = static_cast<std::int64_t>(5 + 7919 * next_ % 40);
    next_ = (next_ + 1) % kSequences;
    const Tensor loss = sum(square(model_(x_.narrow(0, 0, length))));
    loss.backward();
    const StepOutputs outputs = {.loss = loss, .outputs = {model_.input.weight.grad(), model_.hidden.weight.grad()}};
    for (const Tensor& parameter : parameters_) parameter.set_grad({});
    swage::step();
    return outputs;
  }

  Network model_;
  std::vector<Tensor> parameters_;
  Tensor x_;
  std::uint64_t next_ = 0;
  Pass first_, later_;
};

}  // namespace

std::unique_ptr<Workload> make_varlen(const WorkloadOptions& options) { return std::make_unique<Varlen>(options); }

}  // namespace swage::bench
