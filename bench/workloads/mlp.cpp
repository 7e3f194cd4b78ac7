// A perceptron of three layers on batches of random numbers.
#include <bench/workloads/all.hpp>
#include <bench/workloads/state.hpp>
#include <swage/swage.hpp>

namespace swage::bench {
namespace {

constexpr std::int64_t kBatch = 64, kInputs = 784, kHidden = 512, kClasses = 10;
constexpr std::size_t kBatches = 16;

class Mlp final : public Workload {
 public:
  explicit Mlp(const std::string& optimizer)
      : model_{nn::Linear(kInputs, kHidden), nn::ReLU(), nn::Linear(kHidden, kHidden), nn::ReLU(),
               nn::Linear(kHidden, kClasses)} {  // braces: drawn in this order
    if (optimizer == "adam")
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
    Tensor logits = model_(x);
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
    return state;
  }
  void load_state(const WorkloadState& state) override {
    bench::load_state(state, model_);
    bench::load_state(state, *optimizer_);
    next_ = word(state, "next") % kBatches;
  }

 private:
  nn::Sequential model_;
  std::unique_ptr<optim::Optimizer> optimizer_;
  std::array<std::pair<Tensor, Tensor>, kBatches> batches_;
  std::size_t next_ = 0;
};

}  // namespace

std::unique_ptr<Workload> make_mlp(const WorkloadOptions& options) { return std::make_unique<Mlp>(options.optimizer); }

}  // namespace swage::bench
