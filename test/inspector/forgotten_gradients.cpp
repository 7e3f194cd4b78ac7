#include <vector>

#include <programs.hpp>

#include <swage/swage.hpp>

// Training that keeps the gradients of the last step for a plot that nobody draws.
void swage::inspector::forgotten_gradients() {
  manual_seed(1);
  const Tensor w1 = (randn({64, 512}) * 0.1).requires_grad_(), w2 = (randn({512, 64}) * 0.1).requires_grad_();
  const Tensor x = randn({16, 64}), y = randn({16, 64});
  std::vector<Tensor> for_the_plot;
  while (running()) {
    const Tensor loss = mean(square(matmul(relu(matmul(x, w1)), w2) - y));
    loss.backward();  // ill
    for_the_plot = {w1.grad(), w2.grad()};
    no_grad([&] {
      for (const Tensor& w : {w1, w2}) {
        w.sub_(w.grad() * 0.01);
        w.set_grad({});
      }
    });
    if (loss.item() < 1e-9) break;
  }
}
