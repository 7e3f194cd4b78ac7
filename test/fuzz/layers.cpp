// Statements of whole layers, as models have them: recurrent, attention, normalisation, embeddings; forward and, often, backward.
#include <fmt/format.h>

#include <test/fuzz/program.hpp>

namespace swage::fuzz {

void Program::layer() {
  const std::size_t f = pick(7);
  const bool differentiates = chance(2);
  say(fmt::format("layer {}{}", f, differentiates ? " and its gradient" : ""));
  std::vector<Tensor> weights;
  const auto weight = [&](const Dims& dims, double scale) {
    weights.push_back(randn(dims) * scale);
    if (differentiates) weights.back().requires_grad_();
    return weights.back();
  };
  const std::int64_t rows = batch();
  Tensor y;
  switch (f) {
    case 0: {
      const LSTMWeights of{weight({12, 5}, 0.4), weight({12, 3}, 0.4), weight({12}, 0.1), weight({12}, 0.1)};
      const std::int64_t length = traits_.varies ? 1 + round_ % 3 : 3;
      const LSTMSequence sequence = lstm_layer(weight({length, 4, 5}, 1), {}, of);
      keep(sequence.last.cell);
      y = chance(2) ? sequence.output : sequence.last.hidden;
      break;
    }
    case 1: {
      const LSTMWeights of{weight({8, 4}, 0.4), weight({8, 2}, 0.4), {}, {}};
      LSTMState state;
      for (int i = 0; i < 3; ++i) state = lstm_cell(weight({rows, 4}, 1), state, of);
      y = state.hidden;
      break;
    }
    case 2: {
      AttentionOptions options{.is_causal = chance(2)};
      if (chance(3)) options.mask = randn({rows, rows});
      if (chance(3)) options.dropout = 0.25;
      y = scaled_dot_product_attention(weight({2, 3, rows, 4}, 1), weight({2, 3, rows, 4}, 1), weight({2, 3, rows, 5}, 1),
                                       options);
      break;
    }
    case 3: y = layer_norm(weight({rows, 6}, 2), {6}, chance(2) ? weight({6}, 1) : Tensor(), Tensor()); break;
    case 4: y = embedding(randint(0, 9, {rows, 3}), weight({9, 4}, 1)); break;
    case 5: y = dropout(gelu(weight({rows, 17}, 1)), 0.5, chance(2)); break;
    default: y = matmul(weight({2, rows, 5}, 1), weight({chance(2) ? 2 : 1, 5, 3}, 1)); break;
  }
  keep(y);
  if (!differentiates) return;
  (chance(2) ? sum(y * y) : mean(y)).backward();
  for (const Tensor& each : weights)
    if (const Tensor found = each.grad(); found.defined() && chance(2)) keep(found);
}

}  // namespace swage::fuzz
