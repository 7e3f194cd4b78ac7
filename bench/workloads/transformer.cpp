// A small decoder that predicts characters, with pre-norm blocks.
//
// Embedding of 65 characters in 128 plus learned positions; 4 blocks x ← x + attention(norm(x)), x ← x + W₂·gelu(W₁·norm(x)) with 4
// causal heads, a feed-forward width of 512 and tanh GELU; a last norm; a linear head without bias, not tied to the embedding. All other
// linear layers and all norms (eps 1e-5) have biases. Context 128, batch 8, no dropout; cross-entropy over all 1,024 characters; AdamW with
// lr 1e-3, betas 0.9 and 0.999, eps 1e-8, decay 0.01 on every parameter. (--size small: 1 block, width 16, 2 heads, context 8, batch 2.)
//
// Everything is drawn from the seed, restarted once the model stands: each matrix, in the order of the parameters (`names` of the state:
// tokens, positions, then block by block attention.in_proj_weight, attention.out_proj.weight, up.weight, down.weight, then head), normal
// with deviation 0.02; biases are 0 and norms 1 and 0. Then 16 batches: randint(65) of shape (8,129), whose first 128 columns are the
// input and whose last 128 are the targets. With random batches a step takes the first 1 to 8 of them.
#include <array>

#include <bench/workloads/all.hpp>
#include <bench/workloads/state.hpp>
#include <swage/swage.hpp>

namespace swage::bench {
namespace {

constexpr std::int64_t kCharacters = 65;
constexpr std::size_t kBatches = 16;

struct Sizes {
  std::int64_t blocks = 4, width = 128, heads = 4, context = 128, batch = 8;
};
Sizes sizes_of(const WorkloadOptions& options) {
  return options.small() ? Sizes{.blocks = 1, .width = 16, .heads = 2, .context = 8, .batch = 2} : Sizes{};
}

struct Block final : nn::Module {
  explicit Block(const Sizes& sizes)
      : norm1(sizes.width),
        attention(sizes.width, sizes.heads, {.is_causal = true}),
        norm2(sizes.width),
        up(sizes.width, 4 * sizes.width),
        down(4 * sizes.width, sizes.width) {
    register_module("norm1", norm1);
    register_module("attention", attention);
    register_module("norm2", norm2);
    register_module("up", up);
    register_module("down", down);
  }
  Tensor forward(const Tensor& x) override {
    const Tensor y = x + attention(norm1(x));
    return y + down(gelu(up(norm2(y))));
  }

  nn::LayerNorm norm1;
  nn::MultiheadAttention attention;
  nn::LayerNorm norm2;
  nn::Linear up, down;
};

struct Decoder final : nn::Module {
  explicit Decoder(const Sizes& sizes)
      : tokens(kCharacters, sizes.width),
        positions(sizes.context, sizes.width),
        norm(sizes.width),
        head(sizes.width, kCharacters, false) {
    register_module("tokens", tokens);
    register_module("positions", positions);
    for (std::int64_t i = 0; i < sizes.blocks; ++i) {
      blocks.emplace_back(sizes);
      register_module("blocks." + std::to_string(i), blocks.back());
    }
    register_module("norm", norm);
    register_module("head", head);
  }
  // (N,context) → (N,context,characters)
  Tensor forward(const Tensor& characters) override {
    Tensor x = tokens(characters) + positions.weight;
    for (Block& block : blocks) x = block(x);
    return head(norm(x));
  }

  nn::Embedding tokens, positions;
  std::vector<Block> blocks;
  nn::LayerNorm norm;
  nn::Linear head;
};

class Transformer final : public Workload {
 public:
  explicit Transformer(const WorkloadOptions& options)
      : sizes_(sizes_of(options)),
        model_(sizes_),
        batch_(sizes_.batch),
        random_batches_(options.random_batches),
        random_(options.seed) {
    manual_seed(options.seed);
    for (const auto& [name, parameter] : model_.named_parameters())
      no_grad([&] {
        if (parameter.dim() == 2)
          parameter.normal_(0, 0.02);
        else if (name.ends_with("bias"))
          parameter.zero_();
      });
    for (auto& [x, target] : batches_) {
      const Tensor text = randint(0, kCharacters, {sizes_.batch, sizes_.context + 1});
      x = text.narrow(1, 0, sizes_.context).contiguous();
      target = text.narrow(1, 1, sizes_.context).contiguous();
    }
  }

  StepOutputs step() override {
    const auto& [x, target] = batches_[next_];
    next_ = (next_ + 1) % kBatches;
    if (random_batches_) batch_ = 1 + static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(sizes_.batch)));
    Tensor logits = model_(x.narrow(0, 0, batch_));
    Tensor loss =
        cross_entropy(logits.reshape({units_per_step(), kCharacters}), target.narrow(0, 0, batch_).reshape({units_per_step()}));
    loss.backward();
    optimizer_.step();
    return {.loss = loss, .outputs = {logits}};
  }
  std::int64_t units_per_step() const override { return batch_ * sizes_.context; }

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
  Sizes sizes_;
  Decoder model_;
  std::int64_t batch_;
  bool random_batches_;
  data::HostRandom random_;
  optim::AdamW optimizer_{model_.parameters(), {.lr = 1e-3}};
  std::array<std::pair<Tensor, Tensor>, kBatches> batches_;
  std::size_t next_ = 0;
};

}  // namespace

std::unique_ptr<Workload> make_transformer(const WorkloadOptions& options) { return std::make_unique<Transformer>(options); }

}  // namespace swage::bench
