// Sentiment of sentences by a binary Tree-LSTM (Tai, Socher and Manning, "Improved semantic representations from tree-structured long
// short-term memory networks", ACL 2015): every sentence has a tree of its own. Embeddings of 128, states of 128; the labels 0 … 4 of all
// nodes are predicted, and their losses are summed. Each forget gate looks at its own child; the two share a bias. Adam, of the embeddings
// only the rows that were used. --bulk N: N sentences a step. --novelty P: random trees over the words of the text, as long as its sentences (but
// of 12 words and more, for there are few small trees), P percent of them new to the run.
//
// With SWAGE_DATA or --data: trees/train.txt and trees/dev.txt of the Stanford Sentiment Treebank there; else a dozen sentences of our own.
#include <algorithm>
#include <cstdio>

#include <bench/workloads/all.hpp>
#include <bench/workloads/novelty.hpp>
#include <bench/workloads/state.hpp>
#include <bench/workloads/trees.hpp>
#include <swage/swage.hpp>

namespace swage::bench {
namespace {

constexpr std::int64_t kWidth = 128, kLabels = 5, kFewestWords = 12;

struct TreeLSTM final : nn::Module {
  explicit TreeLSTM(std::int64_t words) : embedding(words, kWidth, true) {
    register_module("embedding", embedding);
    register_module("leaf_gates", leaf_gates);
    register_module("gates", gates);
    register_module("forget_left", forget_left);
    register_module("forget_right", forget_right);
    register_parameter("forget_bias", forget_bias);
    register_module("label", label);
  }
  Tensor forward(const Tensor& word) override { return leaf(word).first; }

  using State = std::pair<Tensor, Tensor>;  // hidden, cell

  State leaf(const Tensor& word) const {
    return of_gates(linear(swage::embedding(word, embedding.weight), leaf_gates.weight, leaf_gates.bias));
  }
  State node(const State& left, const State& right) const {
    const Tensor all = linear(cat({left.first, right.first}, 0), gates.weight, gates.bias);
    const Tensor kept = sigmoid(linear(left.first, forget_left.weight) + forget_bias) * left.second +
                        sigmoid(linear(right.first, forget_right.weight) + forget_bias) * right.second;
    return of_gates(all, kept);
  }
  Tensor loss(const Tensor& hidden, const Tensor& right_label) const {
    const Tensor logits = linear(hidden, label.weight, label.bias);
    return cross_entropy(logits.reshape({1, kLabels}), right_label.reshape({1}));
  }

  nn::Embedding embedding;
  nn::Linear leaf_gates{kWidth, 3 * kWidth}, gates{2 * kWidth, 3 * kWidth};
  nn::Linear forget_left{kWidth, kWidth, false}, forget_right{kWidth, kWidth, false};
  Tensor forget_bias = zeros({kWidth});
  nn::Linear label{kWidth, kLabels};

 private:
  // input, output and update gates, side by side
  static State of_gates(const Tensor& all, const Tensor& kept = {}) {
    const auto gate = [&](int k) { return all.narrow(0, k * kWidth, kWidth); };
    Tensor c = sigmoid(gate(0)) * tanh(gate(2));
    if (kept.defined()) c = c + kept;
    return {sigmoid(gate(1)) * tanh(c), c};
  }
};

// What repeats in every tree. In a batch scope, instances of one cell run as one.
auto leaf_cell(const TreeLSTM& model) {
  return cell("leaf", [&model](const Tensor& word) { return model.leaf(word); }, {.pure = true});
}
auto node_cell(const TreeLSTM& model) {
  const auto node = [&model](const Tensor& hl, const Tensor& cl, const Tensor& hr, const Tensor& cr) {
    return model.node({hl, cl}, {hr, cr});
  };
  return cell("node", node, {.pure = true});
}
auto loss_cell(const TreeLSTM& model) {
  return cell("loss", [&model](const Tensor& hidden, const Tensor& label) { return model.loss(hidden, label); },
              {.pure = true});
}

class TreeLSTMWorkload final : public Workload {
 public:
  explicit TreeLSTMWorkload(const WorkloadOptions& options)
      : bulk_(options.bulk),
        data_(load(options)),
        model_(data_.vocabulary.size()),
        optimizer_(model_.parameters(), {.lr = 1e-3}),
        batches_(static_cast<std::int64_t>(data_.train.size()),
                 std::min<std::int64_t>(bulk_, static_cast<std::int64_t>(data_.train.size())), options.seed) {
    if (options.novelty) {
      std::vector<std::int64_t> lengths;
      lengths.reserve(data_.train.size());
      for (const Tree& tree : data_.train) lengths.push_back(std::max(tree.words(), kFewestWords));
      std::ranges::sort(lengths);
      const auto draw = [lengths](data::HostRandom& random, std::size_t size) {  // of that sixth of the sentences
        const std::size_t each = std::max<std::size_t>(lengths.size() / Novelty<Tree>::kSizes, 1);
        return random_tree(lengths[std::min(size * each + random.below(each), lengths.size() - 1)], random);
      };
      trees_.emplace(*options.novelty, options.seed, options.rehearsal, draw, structure_key);
    }
  }

  StepOutputs step() override {
    const Tensor total = batch([&] {
      std::vector<Tensor> losses;
      for (const std::int64_t i : batches_.next()) {
        const Tree& tree = data_.train[static_cast<std::size_t>(i)];
        add_losses(trees_ ? with_words(trees_->next(), tree) : tree, losses);
      }
      return sum_of(losses);
    });
    total.backward();
    optimizer_.step();
    return {.loss = total, .outputs = {}};
  }
  std::int64_t units_per_step() const override { return bulk_; }

  WorkloadState state() override {
    WorkloadState state;
    add_state(state, model_);
    add_state(state, optimizer_);
    add_state(state, batches_);
    if (trees_) state.words.emplace_back("trees", trees_->random().state());
    return state;
  }
  void load_state(const WorkloadState& state) override {
    bench::load_state(state, model_);
    bench::load_state(state, optimizer_);
    bench::load_state(state, batches_);
    if (trees_) trees_->random().set_state(word(state, "trees"));
  }

  // Of the roots of trees that were held out.
  std::map<std::string, double> figures() override {
    std::int64_t right = 0;
    constexpr std::size_t kTogether = 64;
    const NoGradGuard no_grad;
    for (std::size_t first = 0; first < data_.held_out.size(); first += kTogether) {
      const std::size_t end = std::min(first + kTogether, data_.held_out.size());
      std::vector<Tensor> guesses;
      batch([&] {
        for (std::size_t i = first; i < end; ++i)
          guesses.push_back(
              argmax(linear(states_of(data_.held_out[i]).back().first, model_.label.weight, model_.label.bias), 0));
      });
      for (std::size_t i = first; i < end; ++i)
        right += guesses[i - first].item<std::int64_t>() == data_.held_out[i].nodes.back().label;
    }
    return {{"root_accuracy", static_cast<double>(right) / static_cast<double>(data_.held_out.size())}};
  }

 private:
  struct Data {
    Vocabulary vocabulary;
    std::vector<Tree> train, held_out;
  };
  static Data load(const WorkloadOptions& options) {
    Data data;
    if (const auto given = options.public_data(); !given.empty()) {
      const auto folder = given / "trees";
      data.train = read_trees(folder / "train.txt", data.vocabulary);
      data.vocabulary.grows = false;
      data.held_out = read_trees(folder / "dev.txt", data.vocabulary);
    } else {
      if (!options.rehearsal) std::fputs("treelstm: no SWAGE_DATA and no --data; a dozen sentences of its own\n", stderr);
      data.train = data.held_out = read_trees(WorkloadOptions::default_data_folder() / "trees.txt", data.vocabulary);
    }
    return data;
  }

  // The words and labels of a sentence, from its start again where the tree is larger.
  static Tree with_words(Tree tree, const Tree& sentence) {
    std::size_t leaf = 0, inner = 0;
    const auto next = [&](std::size_t& at, bool wants_leaf) -> const TreeNode& {
      do at = (at + 1) % sentence.nodes.size();
      while ((sentence.nodes[at].word >= 0) != wants_leaf && sentence.nodes.size() > 1);
      return sentence.nodes[at];
    };
    for (TreeNode& node : tree.nodes) {
      const bool is_leaf = node.left < 0;
      const TreeNode& from = next(is_leaf ? leaf : inner, is_leaf);
      node.label = from.label;
      if (is_leaf) node.word = from.word;
    }
    return tree;
  }

  // Of all nodes, in the order of the tree's.
  std::vector<TreeLSTM::State> states_of(const Tree& tree) {
    std::vector<TreeLSTM::State> states;
    states.reserve(tree.nodes.size());
    for (const TreeNode& node : tree.nodes) {
      if (node.word >= 0) {
        states.push_back(leaf_(node.word));
      } else {
        const TreeLSTM::State &left = states[static_cast<std::size_t>(node.left)],
                              &right = states[static_cast<std::size_t>(node.right)];
        states.push_back(node_(left.first, left.second, right.first, right.second));
      }
    }
    return states;
  }
  void add_losses(const Tree& tree, std::vector<Tensor>& losses) {
    const std::vector<TreeLSTM::State> states = states_of(tree);
    for (std::size_t i = 0; i < states.size(); ++i) losses.push_back(loss_(states[i].first, tree.nodes[i].label));
  }

  std::int64_t bulk_;
  Data data_;
  TreeLSTM model_;
  optim::Adam optimizer_;
  data::Batches batches_;
  std::optional<Novelty<Tree>> trees_;
  decltype(leaf_cell(model_)) leaf_ = leaf_cell(model_);
  decltype(node_cell(model_)) node_ = node_cell(model_);
  decltype(loss_cell(model_)) loss_ = loss_cell(model_);
};

}  // namespace

std::unique_ptr<Workload> make_treelstm(const WorkloadOptions& options) { return std::make_unique<TreeLSTMWorkload>(options); }

}  // namespace swage::bench
