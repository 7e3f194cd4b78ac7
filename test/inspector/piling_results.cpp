#include <vector>

#include <programs.hpp>

#include <swage/swage.hpp>

// Training that keeps every hidden state for an analysis at the end.
void swage::inspector::piling_results() {
  manual_seed(1);
  const Tensor w = randn({128, 128}) * 0.05;
  std::vector<Tensor> states;
  Tensor x = randn({64, 128});
  while (running() && states.size() < 5000) {
    const Tensor h = tanh(matmul(x, w) + x);  // ill
    states.push_back(h);
    const Tensor level = mean(h * h);
    x = x * 0.99;
    if (level.item() < 0) break;
  }
}
