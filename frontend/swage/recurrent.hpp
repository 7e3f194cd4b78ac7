// The long short-term memory (Hochreiter and Schmidhuber, Neural Computation 9, 1997), with PyTorch's weights: for a width of H
// the rows of the weights are those of the input gate, the forget gate, the candidate and the output gate, H each.
//
//   i, f, o = sigmoid, g = tanh of x·W_ihᵀ + b_ih + h·W_hhᵀ + b_hh;  c′ = f·c + i·g;  h′ = o·tanh(c′)
#pragma once

#include <swage/tensor.hpp>

namespace swage {

struct LSTMState {
  Tensor hidden, cell;  // (N,H) each; undefined for zeros
};
struct LSTMWeights {
  Tensor input, hidden;            // (4·H,I) and (4·H,H)
  Tensor input_bias, hidden_bias;  // (4·H), both or neither
};

// One step: x (N,I) and a state → the next state.
LSTMState lstm_cell(const Tensor& x, const LSTMState& state, const LSTMWeights& weights);

struct LSTMSequence {
  Tensor output;   // (T,N,H): the hidden state after each step
  LSTMState last;  // after the last
};
// All steps over x (T,N,I), T ≥ 1. The gradient is written by hand: through time only what depends on time, and one product for each
// weight. The gradient of that gradient goes by the rules of the primitives.
LSTMSequence lstm_layer(const Tensor& x, const LSTMState& first, const LSTMWeights& weights);

}  // namespace swage
