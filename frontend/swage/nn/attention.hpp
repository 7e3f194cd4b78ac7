#pragma once

#include <swage/nn/linear.hpp>
#include <swage/nn/module.hpp>

namespace swage::nn {

struct MultiheadAttentionOptions {
  double dropout = 0;  // of the attention weights, in training
  bool bias = true;
  bool is_causal = false;  // no position sees later ones
};

// Attention in `heads` parallel parts of width/heads columns each (Vaswani et al., NIPS 2017), batches first:
// query (N,L,width), key and value (N,S,width) → (N,L,width). Parameters as in PyTorch: in_proj_weight (3·width,width) and in_proj_bias
// project query, key and value, uniform within ±√(6/(4·width)) and zero; out_proj is Linear(width,width), its bias zero.
class MultiheadAttention : public Module {
 public:
  MultiheadAttention(std::int64_t width, std::int64_t heads, MultiheadAttentionOptions options = {});
  Tensor forward(const Tensor& x) override;  // self-attention
  using Module::operator();
  Tensor operator()(const Tensor& query, const Tensor& key, const Tensor& value);

  Tensor in_proj_weight, in_proj_bias;
  Linear out_proj;
  MultiheadAttentionOptions options;

 private:
  Tensor mixed(const Tensor& query, const Tensor& key, const Tensor& value);
  Tensor split(const Tensor& x) const;  // (N,L,width) → (N,heads,L,width/heads)

  std::int64_t width_, heads_;
};

}  // namespace swage::nn
