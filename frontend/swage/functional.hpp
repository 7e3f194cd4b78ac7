// Composites: softmax, losses, normalisation, attention. Fusion makes them fast; there are no kernels behind them.
#pragma once

#include <cstdint>

#include <swage/tensor.hpp>

namespace swage {

// exp(a) / Σ exp(a) along `d`, the greatest element taken away first. Floating types.
Tensor softmax(const Tensor& a, int d);
Tensor log_softmax(const Tensor& a, int d);

// What becomes of one value a row.
enum class Reduction : std::uint8_t { mean, sum, none };

// Mean of −log softmax(logits)[target]: logits (N,C), target (N) i64 with 0 ≤ target < C (else IndexError) → (), or (N) without a
// reduction.
Tensor cross_entropy(const Tensor& logits, const Tensor& target, Reduction reduction = Reduction::mean);
// Mean of −log_probabilities[target]: (N,C) and (N) i64 → ().
Tensor nll_loss(const Tensor& log_probabilities, const Tensor& target);
// Mean of (a − b)².
Tensor mse_loss(const Tensor& a, const Tensor& b);

// Each channel (dimension 1) of x (N,C,…) shifted and scaled to mean 0 and variance 1, then to weight (C) and bias (C) if they
// are defined (Ioffe and Szegedy, "Batch normalization", ICML 2015). In training the batch's own mean and biased variance
// count, and the running statistics (C), if defined, are updated in place: r ← (1 − momentum)·r + momentum·batch, with the
// unbiased variance. Otherwise the running statistics count.
Tensor batch_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var, const Tensor& weight = {},
                  const Tensor& bias = {}, bool training = false, double momentum = 0.1, double eps = 1e-5);

// Shifted and scaled to mean 0 and variance 1 over the last dimensions of x, whose extents are `normalized`, then to weight and bias
// of that shape if they are defined (Ba, Kiros and Hinton, "Layer normalization", 2016): (x − mean)/√(variance + eps)·weight + bias,
// the variance biased.
Tensor layer_norm(const Tensor& x, const Dims& normalized, const Tensor& weight = {}, const Tensor& bias = {},
                  double eps = 1e-5);

// Gaussian error linear unit, the tanh form: x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))), which equals x·sigmoid of twice the argument of
// tanh (Hendrycks and Gimpel, "Gaussian error linear units", 2016; PyTorch's approximate="tanh").
Tensor gelu(const Tensor& a);

// In training, each element is 0 with probability p and a/(1 − p) otherwise; outside, and for p = 0, `a` itself. ValueError unless
// 0 ≤ p ≤ 1.
Tensor dropout(const Tensor& a, double p = 0.5, bool training = true);

// Rows of weight (V,D) by number: indices (…) i64 with 0 ≤ index < V (else IndexError) → (…,D). The gradient of the weight is dense;
// rows that are picked more than once add up in order (kept as rows where the weight asks for it, autograd/row_gradients.hpp).
Tensor embedding(const Tensor& indices, const Tensor& weight);

struct AttentionOptions {
  Tensor mask = {};        // broadcasts to (…,L,S): bool, false where nothing may flow, or numbers that are added to the scores
  bool is_causal = false;  // row i sees columns up to i; needs no mask
  double dropout = 0;      // of the weights, always applied
};
// softmax(query·keyᵀ/√E + mask)·value over matrices in the last two dimensions: (…,L,E), (…,S,E), (…,S,D) → (…,L,D) (Vaswani et al.,
// "Attention is all you need", NIPS 2017).
Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                    const AttentionOptions& options = {});

}  // namespace swage
