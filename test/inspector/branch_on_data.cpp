#include <programs.hpp>

#include <swage/swage.hpp>

// Which of two layers a sample goes through depends on what is in it.
void swage::inspector::branch_on_data() {
  manual_seed(1);
  const Tensor w = randn({32, 32}) * 0.1, low = randn({32, 32}) * 0.1, high = randn({32, 32}) * 0.1;
  double total = 0;
  while (running()) {
    const Tensor h = tanh(matmul(randn({4, 32}), w));
    if (sum(h).item() > 0) {  // ill
      total += mean(relu(matmul(h, high))).item();
    } else {
      total += mean(sigmoid(matmul(h, low) * 2.0)).item();
    }
  }
}
