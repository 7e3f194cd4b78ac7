// Composites: softmax, losses, normalisation. Fusion makes them fast; there are no kernels behind them.
#pragma once

#include <swage/tensor.hpp>

namespace swage {

// exp(a) / Σ exp(a) along `d`, the greatest element taken away first. Floating types.
Tensor softmax(const Tensor& a, int d);
Tensor log_softmax(const Tensor& a, int d);

// Mean of −log softmax(logits)[target]: logits (N,C), target (N) i64 with 0 ≤ target < C (else IndexError) → ().
Tensor cross_entropy(const Tensor& logits, const Tensor& target);
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

}  // namespace swage
