// A residual network whose blocks are skipped at random, by the host, in every step (Huang et al., "Deep networks with stochastic depth",
// ECCV 2016): six blocks, so 64 ways through a step, forward, backward and update. Each of them is rare; their parts are not.
#include <bench/workloads/all.hpp>
#include <bench/workloads/state.hpp>
#include <swage/swage.hpp>

namespace swage::bench {
namespace {

constexpr std::int64_t kBatch = 32, kWidth = 64, kClasses = 10;
constexpr std::size_t kBlocks = 6, kBatches = 16;

struct Block final : nn::Module {
  nn::Linear widen{kWidth, 2 * kWidth}, narrow{2 * kWidth, kWidth};
  Block() { register_module("widen", widen), register_module("narrow", narrow); }
  Tensor forward(const Tensor& h) override { return relu(h + narrow(tanh(widen(h)))); }
};

struct Network final : nn::Module {
  nn::Linear first{kWidth, kWidth}, last{kWidth, kClasses};
  std::array<Block, kBlocks> blocks;
  unsigned kept = ~0u;  // bit k: whether block k runs

  Network() {
    register_module("first", first);
    for (std::size_t k = 0; k < kBlocks; ++k) register_module("block" + std::to_string(k), blocks[k]);
    register_module("last", last);
  }
  Tensor forward(const Tensor& x) override {
    Tensor h = relu(first(x));
    for (std::size_t k = 0; k < kBlocks; ++k)
      if (kept >> k & 1) h = blocks[k](h);
    return last(h);
  }
};

class StochasticDepth final : public Workload {
 public:
  explicit StochasticDepth(const WorkloadOptions& options)
      : optimizer_(model_.parameters(), {.lr = 0.01, .momentum = 0.9}),
        random_(options.rehearsal ? ~options.seed : options.seed) {
    for (auto& [x, target] : batches_) {
      x = randn({kBatch, kWidth});
      target = randint(0, kClasses, {kBatch});
    }
  }

  StepOutputs step() override {
    const auto& [x, target] = batches_[next_];
    next_ = (next_ + 1) % kBatches;
    model_.kept = static_cast<unsigned>(random_.below(1u << kBlocks));
    const Tensor logits = model_(x);
    Tensor loss = cross_entropy(logits, target);
    loss.backward();
    optimizer_.step();
    return {.loss = loss, .outputs = {logits}};
  }
  std::int64_t units_per_step() const override { return kBatch; }

  WorkloadState state() override {
    WorkloadState state;
    add_state(state, model_);
    add_state(state, optimizer_);
    state.words.emplace_back("next", next_);
    state.words.emplace_back("random", random_.state());
    return state;
  }
  void load_state(const WorkloadState& state) override {
    bench::load_state(state, model_);
    bench::load_state(state, optimizer_);
    next_ = word(state, "next") % kBatches;
    random_.set_state(word(state, "random"));
  }

 private:
  Network model_;
  optim::SGD optimizer_;
  std::array<std::pair<Tensor, Tensor>, kBatches> batches_;
  std::size_t next_ = 0;
  data::HostRandom random_;
};

}  // namespace

std::unique_ptr<Workload> make_stochastic_depth(const WorkloadOptions& options) {
  return std::make_unique<StochasticDepth>(options);
}

}  // namespace swage::bench
