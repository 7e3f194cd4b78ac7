// A perceptron of three layers on batches of random numbers. --novelty P: every step uses as many of the hidden units as it draws, 64 … 512
// in either layer (as in Yu et al., "Slimmable neural networks", ICLR 2019), P percent of the pairs new to the run.
#include <bench/workloads/all.hpp>
#include <bench/workloads/novelty.hpp>
#include <bench/workloads/state.hpp>
#include <swage/swage.hpp>

namespace swage::bench {
namespace {

constexpr std::int64_t kBatch = 64, kInputs = 784, kHidden = 512, kNarrowest = 64, kClasses = 10;
constexpr std::size_t kBatches = 16;

struct Widths {
  std::int64_t first = kHidden, second = kHidden;
};

Widths draw_widths(data::HostRandom& random, std::size_t) {
  const auto width = [&] { return kNarrowest + static_cast<std::int64_t>(random.below(kHidden - kNarrowest + 1)); };
  const std::int64_t first = width();
  return {first, width()};
}
std::uint64_t key_of(const Widths& widths) {
  std::uint64_t key = static_cast<std::uint64_t>(widths.first << 32 | widths.second);
  return split_mix(key);
}

class Mlp final : public Workload {
 public:
  explicit Mlp(const WorkloadOptions& options)
      : model_{nn::Linear(kInputs, kHidden), nn::ReLU(), nn::Linear(kHidden, kHidden), nn::ReLU(),
               nn::Linear(kHidden, kClasses)} {  // braces: drawn in this order
    if (options.novelty) widths_.emplace(*options.novelty, options.seed, options.rehearsal, draw_widths, key_of);
    if (options.optimizer == "adam")
      optimizer_ = std::make_unique<optim::Adam>(model_.parameters());
    else
      optimizer_ = std::make_unique<optim::SGD>(model_.parameters(), optim::SGDOptions{.lr = 0.01, .momentum = 0.9});
    for (auto& [x, target] : batches_) {
      x = randn({kBatch, kInputs});
      target = randint(0, kClasses, {kBatch});
    }
  }

  StepOutputs step() override {
    const auto& [x, target] = batches_[next_];
    next_ = (next_ + 1) % kBatches;
    Tensor logits = widths_ ? slim(x, widths_->next()) : model_(x);
    Tensor loss = cross_entropy(logits, target);
    loss.backward();
    optimizer_->step();
    return {.loss = loss, .outputs = {logits}};
  }
  std::int64_t units_per_step() const override { return kBatch; }

  WorkloadState state() override {
    WorkloadState state;
    add_state(state, model_);
    add_state(state, *optimizer_);
    state.words.emplace_back("next", next_);
    if (widths_) state.words.emplace_back("widths", widths_->random().state());
    return state;
  }
  void load_state(const WorkloadState& state) override {
    bench::load_state(state, model_);
    bench::load_state(state, *optimizer_);
    next_ = word(state, "next") % kBatches;
    if (widths_) widths_->random().set_state(word(state, "widths"));
  }

 private:
  // The first units of each hidden layer alone.
  Tensor slim(const Tensor& x, const Widths& widths) const {
    const std::vector<Tensor> p = model_.parameters();
    const Tensor first = relu(linear(x, p[0].narrow(0, 0, widths.first), p[1].narrow(0, 0, widths.first)));
    const Tensor rows = p[2].narrow(0, 0, widths.second), bias = p[3].narrow(0, 0, widths.second);
    const Tensor second = relu(linear(first, rows.narrow(1, 0, widths.first), bias));
    return linear(second, p[4].narrow(1, 0, widths.second), p[5]);
  }

  nn::Sequential model_;
  std::unique_ptr<optim::Optimizer> optimizer_;
  std::array<std::pair<Tensor, Tensor>, kBatches> batches_;
  std::size_t next_ = 0;
  std::optional<Novelty<Widths>> widths_;
};

}  // namespace

std::unique_ptr<Workload> make_mlp(const WorkloadOptions& options) { return std::make_unique<Mlp>(options); }

}  // namespace swage::bench
