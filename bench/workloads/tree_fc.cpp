// Random binary trees of 128 leaves, 20 a step (Xu, Zhang, Hu et al., "Cavs: an efficient runtime system for dynamic neural networks", USENIX ATC
// 2018): a node is one fully connected layer, h = tanh(W [left; right] + b) with 100 units; leaves are vectors out of a table of 1,000.
// Loss: half the sum of squares of the roots. Forward and backward; no two trees are alike.
#include <bench/workloads/all.hpp>
#include <bench/workloads/state.hpp>
#include <swage/swage.hpp>

namespace swage::bench {
namespace {

constexpr std::int64_t kTrees = 20, kLeaves = 128, kWidth = 100, kWords = 1000;

struct TreeLayer {
  Tensor node(const Tensor& left, const Tensor& right) const { return tanh(linear(cat({left, right}, 0), fc.weight, fc.bias)); }

  Tensor words = randn({kWords, kWidth});
  nn::Linear fc{2 * kWidth, kWidth};
};

auto leaf_cell(const TreeLayer& layer) {
  return cell("leaf", [&layer](const Tensor& word) { return embedding(word, layer.words); }, {.pure = true});
}
auto node_cell(const TreeLayer& layer) {
  return cell("node", [&layer](const Tensor& left, const Tensor& right) { return layer.node(left, right); }, {.pure = true});
}
auto loss_cell() {
  return cell("loss", [](const Tensor& root) { return sum(square(root)) * 0.5; }, {.pure = true});
}

class TreeFc final : public Workload {
 public:
  explicit TreeFc(const WorkloadOptions& options) : random_(options.seed) {}

  StepOutputs step() override {
    const Tensor total = batch([&] {
      std::vector<Tensor> losses;
      losses.reserve(kTrees);
      for (std::int64_t i = 0; i < kTrees; ++i) losses.push_back(loss_(tree(kLeaves)));
      return sum_of(losses);
    });
    total.backward();
    StepOutputs outputs{.loss = total, .outputs = {layer_.fc.weight.grad(), layer_.fc.bias.grad()}};
    layer_.fc.zero_grad();
    swage::step();
    return outputs;
  }
  std::int64_t units_per_step() const override { return kTrees; }

  WorkloadState state() override {
    WorkloadState state;
    state.tensors = {{"words", layer_.words}, {"weight", layer_.fc.weight}, {"bias", layer_.fc.bias}};
    state.words.emplace_back("random", random_.state());
    return state;
  }
  void load_state(const WorkloadState& state) override {
    if (state.tensors.size() != 3) raise<ValueError>({}, "the saved state has {} tensors, not 3", state.tensors.size());
    no_grad([&] {
      layer_.words.copy_(state.tensors[0].second);
      layer_.fc.weight.copy_(state.tensors[1].second);
      layer_.fc.bias.copy_(state.tensors[2].second);
    });
    random_.set_state(word(state, "random"));
  }

 private:
  // Any number of the leaves may be on the left.
  Tensor tree(std::int64_t leaves) {
    if (leaves == 1) return leaf_(below(kWords));
    const std::int64_t on_the_left = 1 + below(leaves - 1);
    const Tensor left = tree(on_the_left), right = tree(leaves - on_the_left);
    return node_(left, right);
  }
  std::int64_t below(std::int64_t bound) { return static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(bound))); }

  TreeLayer layer_;
  data::HostRandom random_;
  decltype(leaf_cell(layer_)) leaf_ = leaf_cell(layer_);
  decltype(node_cell(layer_)) node_ = node_cell(layer_);
  decltype(loss_cell()) loss_ = loss_cell();
};

}  // namespace

std::unique_ptr<Workload> make_tree_fc(const WorkloadOptions& options) { return std::make_unique<TreeFc>(options); }

}  // namespace swage::bench
