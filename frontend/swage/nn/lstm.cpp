#include <swage/nn/lstm.hpp>

#include <cmath>

#include <runtime/core/error.hpp>
#include <swage/creation.hpp>
#include <swage/functional.hpp>
#include <swage/index.hpp>
#include <swage/nn/init.hpp>

namespace swage::nn {

namespace {

LSTMWeights drawn(std::int64_t inputs, std::int64_t width, bool with_bias) {
  const double bound = width > 0 ? 1 / std::sqrt(static_cast<double>(width)) : 0;
  const auto draw = [&](const Dims& sizes) {
    const Tensor tensor = zeros(sizes);
    init::uniform_(tensor, bound);
    return tensor;
  };
  LSTMWeights weights{
      .input = draw({4 * width, inputs}), .hidden = draw({4 * width, width}), .input_bias = {}, .hidden_bias = {}};
  if (!with_bias) return weights;
  weights.input_bias = draw({4 * width});
  weights.hidden_bias = draw({4 * width});
  return weights;
}

}  // namespace

LSTMCell::LSTMCell(std::int64_t inputs, std::int64_t width, bool with_bias)
    : Module(Library{}), weights(drawn(inputs, width, with_bias)) {
  register_parameter("weight_ih", weights.input);
  register_parameter("weight_hh", weights.hidden);
  if (!with_bias) return;
  register_parameter("bias_ih", weights.input_bias);
  register_parameter("bias_hh", weights.hidden_bias);
}

Tensor LSTMCell::forward(const Tensor& x) { return lstm_cell(x, {}, weights).hidden; }

LSTMState LSTMCell::operator()(const Tensor& x, const LSTMState& state) {
  const SiteScope scope(caller());
  return lstm_cell(x, state, weights);
}

LSTM::LSTM(std::int64_t inputs, std::int64_t width, LSTMOptions chosen) : Module(Library{}), options(chosen) {
  if (options.layers < 1 || !(options.dropout >= 0 && options.dropout <= 1))
    raise<ValueError>(SiteScope::or_else(caller()), "[LSTM] needs at least one layer and a dropout from 0 to 1, not {} and {}",
                      options.layers, options.dropout);
  for (std::int64_t layer = 0; layer < options.layers; ++layer) {
    weights.push_back(drawn(layer == 0 ? inputs : width, width, options.bias));
    const LSTMWeights& own = weights.back();
    const std::string suffix = "_l" + std::to_string(layer);
    register_parameter("weight_ih" + suffix, own.input);
    register_parameter("weight_hh" + suffix, own.hidden);
    if (!options.bias) continue;
    register_parameter("bias_ih" + suffix, own.input_bias);
    register_parameter("bias_hh" + suffix, own.hidden_bias);
  }
}

std::vector<LSTMState> LSTM::run(const Tensor& x, const LSTMState& state, Tensor& output) {
  for (const Tensor* each : {&state.hidden, &state.cell})
    if (each->defined() && (each->dim() != 3 || each->sizes()[0] != options.layers))
      raise<ShapeError>(SiteScope::or_else({}), "[LSTM] a state must be (layers,N,H) with {} layers, not {}", options.layers,
                        to_string(each->sizes()));
  output = x;
  std::vector<LSTMState> last;
  for (std::int64_t layer = 0; layer < options.layers; ++layer) {
    if (layer > 0) output = dropout(output, options.dropout, training());
    const auto of_layer = [&](const Tensor& all) { return all.defined() ? all[layer] : Tensor(); };
    LSTMSequence sequence =
        lstm_layer(output, {of_layer(state.hidden), of_layer(state.cell)}, weights[static_cast<std::size_t>(layer)]);
    output = std::move(sequence.output);
    last.push_back(std::move(sequence.last));
  }
  return last;
}

Tensor LSTM::forward(const Tensor& x) {
  Tensor output;
  run(x, {}, output);
  return output;
}

LSTM::Result LSTM::operator()(const Tensor& x, const LSTMState& state) {
  const SiteScope scope(caller());
  Result result;
  const std::vector<LSTMState> last = run(x, state, result.output);
  std::vector<Tensor> hidden, cell;
  for (const LSTMState& each : last) hidden.push_back(each.hidden), cell.push_back(each.cell);
  result.state = {stack(hidden), stack(cell)};
  return result;
}

}  // namespace swage::nn
