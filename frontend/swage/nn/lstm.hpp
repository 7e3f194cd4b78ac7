#pragma once

#include <vector>

#include <swage/nn/module.hpp>
#include <swage/recurrent.hpp>

namespace swage::nn {

// One step, see swage::lstm_cell: x (N,I) and a state → the next state. weight_ih (4·H,I), weight_hh (4·H,H), bias_ih and bias_hh (4·H)
// start uniform within ±1/√H.
class LSTMCell : public Module {
 public:
  LSTMCell(std::int64_t inputs, std::int64_t width, bool with_bias = true);
  Tensor forward(const Tensor& x) override;  // from zeros; the hidden state
  using Module::operator();
  LSTMState operator()(const Tensor& x, const LSTMState& state);

  LSTMWeights weights;
};

struct LSTMOptions {
  std::int64_t layers = 1;
  bool bias = true;
  double dropout = 0;  // between layers, in training
};

// Layers of LSTM one above the other over sequences, time first: x (T,N,I) → (T,N,H). Parameters are named as in PyTorch,
// "weight_ih_l0" and so on, and start as those of LSTMCell.
class LSTM : public Module {
 public:
  struct Result {
    Tensor output;    // (T,N,H), of the uppermost layer
    LSTMState state;  // (layers,N,H) each, after the last step
  };

  LSTM(std::int64_t inputs, std::int64_t width, LSTMOptions options = {});
  Tensor forward(const Tensor& x) override;  // from zeros; the output
  using Module::operator();
  Result operator()(const Tensor& x, const LSTMState& state);  // a state of (layers,N,H) each, or undefined for zeros

  std::vector<LSTMWeights> weights;  // by layer
  LSTMOptions options;

 private:
  std::vector<LSTMState> run(const Tensor& x, const LSTMState& state, Tensor& output);
};

}  // namespace swage::nn
