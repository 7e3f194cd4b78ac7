// A mixture of experts (Shazeer, Mirhoseini, Maziarz et al., "Outrageously large neural networks: the sparsely-gated mixture-of-experts layer",
// ICLR 2017): inputs of 1,000 numbers, 10 experts with 64 hidden units each, of which a noisy gate takes 4 for each sample; 20 classes,
// batches of 64. What an expert is given differs from step to step; samples of one expert run together. The losses of the paper keep the
// experts equally important and equally loaded. --optimizer sgd or adam.
#include <algorithm>
#include <array>
#include <numeric>

#include <bench/workloads/all.hpp>
#include <bench/workloads/state.hpp>
#include <swage/swage.hpp>

namespace swage::bench {
namespace {

constexpr std::int64_t kInputs = 1000, kHidden = 64, kExperts = 10, kTaken = 4, kClasses = 20, kBatch = 64;
constexpr double kBalance = 0.1;  // weight of the two losses that keep the experts busy
constexpr std::size_t kBatches = 16;

struct Expert {
  nn::Linear hidden{kInputs, kHidden}, classes{kHidden, kClasses};
};

struct Mixture final : nn::Module {
  Mixture() {
    register_parameter("gate", gate);
    register_parameter("noise", noise);
    for (std::size_t e = 0; e < experts.size(); ++e) {
      register_module(fmt::format("experts.{}.hidden", e), experts[e].hidden);
      register_module(fmt::format("experts.{}.classes", e), experts[e].classes);
    }
  }
  Tensor forward(const Tensor& x) override { return matmul(x, gate); }

  Tensor gate = zeros({kInputs, kExperts}), noise = zeros({kInputs, kExperts});  // as in the paper: all equal at first
  std::array<Expert, kExperts> experts;
};

Tensor softplus(const Tensor& a) { return maximum(a, 0.0) + log(exp(-abs(a)) + 1.0); }

// The distribution function of the normal distribution, by Page's logistic approximation ("Approximations to the cumulative normal function and
// its inverse for use on a pocket calculator", Applied Statistics 26, 1977): off by at most 0.0002.
Tensor normal_cdf(const Tensor& x) { return sigmoid(x * 1.5957691216 + x * square(x) * 0.0713548163); }

// The squared coefficient of variation.
Tensor unevenness(const Tensor& a) { return mean(square(a - mean(a))) / (square(mean(a)) + 1e-10); }

// For each sample, which experts it takes, the best first.
struct Routes {
  std::vector<std::int64_t> taken;       // (64,4)
  std::vector<std::int64_t> thresholds;  // (64,10): whose gate an expert must pass, were its noise drawn again
};
Routes routes_of(const std::vector<float>& gates) {
  Routes routes;
  std::array<std::int64_t, kExperts> order{};
  for (std::int64_t i = 0; i < kBatch; ++i) {
    const float* const row = gates.data() + i * kExperts;
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, [&](std::int64_t a, std::int64_t b) { return row[a] > row[b]; });
    routes.taken.insert(routes.taken.end(), order.begin(), order.begin() + kTaken);
    for (std::int64_t e = 0; e < kExperts; ++e) {
      const bool taken = std::find(order.begin(), order.begin() + kTaken, e) != order.begin() + kTaken;
      routes.thresholds.push_back(order[taken ? kTaken : kTaken - 1]);
    }
  }
  return routes;
}

// What an expert says about row i of the batch.
auto expert_cell(const Expert& expert, const Tensor& batch) {
  const auto logits = [&expert, &batch](const Tensor& row) {
    const Tensor hidden = relu(linear(embedding(row, batch), expert.hidden.weight, expert.hidden.bias));
    return linear(hidden, expert.classes.weight, expert.classes.bias);
  };
  return cell("expert", logits, {.pure = true});
}

class MoeWorkload final : public Workload {
 public:
  explicit MoeWorkload(const WorkloadOptions& options) {
    if (options.optimizer == "adam")
      optimizer_ = std::make_unique<optim::Adam>(model_.parameters());
    else
      optimizer_ = std::make_unique<optim::SGD>(model_.parameters(), optim::SGDOptions{.lr = 0.01, .momentum = 0.9});
    for (auto& [x, labels] : batches_) {
      x = randn({kBatch, kInputs});
      labels = randint(0, kClasses, {kBatch}).to_vector<std::int64_t>();
    }
    for (const Expert& expert : model_.experts) experts_.push_back(expert_cell(expert, x_));
  }

  StepOutputs step() override {
    const auto& [x, labels] = batches_[next_];
    next_ = (next_ + 1) % kBatches;
    x_.copy_(x);

    const Tensor clean = matmul(x_, model_.gate), spread = softplus(matmul(x_, model_.noise)) + 0.01;
    const Tensor gates = clean + randn({kBatch, kExperts}) * spread;
    const Routes routes = routes_of(gates.to_vector<float>());
    const Tensor taken = tensor(routes.taken, {kBatch, kTaken});
    const Tensor weights = softmax(gather(gates, 1, taken), 1);
    const Tensor importance = sum(scatter_add(zeros({kBatch, kExperts}), 1, taken, weights), 0);
    const Tensor threshold = gather(gates, 1, tensor(routes.thresholds, {kBatch, kExperts})).detach();
    const Tensor load = sum(normal_cdf((clean - threshold) / spread), 0);

    const Tensor loss =
        answers(routes, weights, labels) * (1.0 / kBatch) + (unevenness(importance) + unevenness(load)) * kBalance;
    loss.backward();
    optimizer_->step();
    return {.loss = loss, .outputs = {importance}};
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
  // The sum of the samples' losses. Each goes to its experts, and they are listened to as much as the gate says.
  Tensor answers(const Routes& routes, const Tensor& weights, const std::vector<std::int64_t>& labels) {
    const auto loss_of = [&](const Tensor& row, const Tensor& label, const Tensor& a, const Tensor& b, const Tensor& c,
                             const Tensor& d) {
      const Tensor logits = matmul(embedding(row, weights).reshape({1, kTaken}), stack({a, b, c, d}));
      return cross_entropy(logits, label.reshape({1}));
    };
    auto mix = cell("mix", loss_of);
    return batch([&] {
      std::vector<Tensor> losses;
      losses.reserve(kBatch);
      for (std::int64_t i = 0; i < kBatch; ++i) {
        const auto said = [&](std::int64_t k) {
          return experts_[static_cast<std::size_t>(routes.taken[static_cast<std::size_t>(i * kTaken + k)])](i);
        };
        losses.push_back(mix(i, labels[static_cast<std::size_t>(i)], said(0), said(1), said(2), said(3)));
      }
      return sum_of(losses);
    });
  }

  Mixture model_;
  std::unique_ptr<optim::Optimizer> optimizer_;
  std::array<std::pair<Tensor, std::vector<std::int64_t>>, kBatches> batches_;
  Tensor x_ = zeros({kBatch, kInputs});  // the running batch
  std::vector<decltype(expert_cell(model_.experts[0], x_))> experts_;
  std::size_t next_ = 0;
};

}  // namespace

std::unique_ptr<Workload> make_moe(const WorkloadOptions& options) { return std::make_unique<MoeWorkload>(options); }

}  // namespace swage::bench
