#include <programs.hpp>

#include <swage/swage.hpp>

// A fixed point is asked after every step whether it has converged.
void swage::inspector::host_read_in_loop() {
  manual_seed(1);
  const Tensor w = randn({32, 32}) * 0.05;
  while (running()) {
    const Tensor drive = randn({8, 32});
    Tensor x = zeros({8, 32});
    for (int i = 0; i < 50; ++i) {
      const Tensor next = tanh(matmul(x, w) + drive);
      const Tensor change = next - x;
      x = next;
      if (sum(change * change).item() < 1e-14) break;  // ill
    }
  }
}
