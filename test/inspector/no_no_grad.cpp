#include <programs.hpp>

#include <swage/swage.hpp>

// Evaluation that forgets to say that nothing will be differentiated.
void swage::inspector::no_no_grad() {
  manual_seed(1);
  const Tensor w1 = (randn({64, 256}) * 0.1).requires_grad_(), w2 = (randn({256, 10}) * 0.1).requires_grad_();
  const Tensor x = randn({64, 64});
  double total = 0;
  while (running()) {
    const Tensor loss = mean(square(matmul(relu(matmul(x, w1)) * 0.5 + 0.1, w2)));  // ill
    total += loss.item();
  }
}
