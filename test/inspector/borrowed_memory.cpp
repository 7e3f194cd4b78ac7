#include <vector>

#include <programs.hpp>

#include <swage/swage.hpp>

// Frames are read where the camera puts them.
void swage::inspector::borrowed_memory() {
  manual_seed(1);
  std::vector<float> frame(16 * 64, 0.5F);
  const Tensor pixels = borrow(frame.data(), {16, 64}, DType::f32);
  const Tensor w = randn({64, 32}) * 0.1, b = zeros({32});
  Tensor score = zeros({32});
  for (int step = 0; running(); ++step) {
    frame[static_cast<std::size_t>(step) % frame.size()] += 0.01F;
    const Tensor centred = (pixels - 0.5) * 4.0;  // ill
    const Tensor h = relu(matmul(centred, w) + b);
    score = score * 0.99 + mean(h, {0}) * 0.01;
    if (step % 100 == 99 && sum(score).item() < 0) break;
  }
}
