#include <programs.hpp>

#include <swage/swage.hpp>

// A memory that is copied as a whole whenever a row is added.
void swage::inspector::growing_cat() {
  manual_seed(1);
  const Tensor w = randn({64, 64}) * 0.1;
  Tensor memory = randn({1, 64});
  while (running()) {
    const Tensor query = tanh(matmul(randn({1, 64}), w));
    memory = cat({memory, query}, 0);  // ill
    const Tensor scores = softmax(matmul(query, memory.t()), 1);
    if (sum(matmul(scores, memory)).item() > 1e9) break;
  }
}
