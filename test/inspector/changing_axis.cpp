#include <random>

#include <programs.hpp>

#include <swage/swage.hpp>

// Statistics of a cube along an axis that is drawn anew each time.
void swage::inspector::changing_axis() {
  manual_seed(1);
  std::mt19937 draw(7);
  const Tensor cube = rand({8, 8, 8, 8});
  double total = 0;
  for (int step = 0; running(); ++step) {
    Tensor x = cube * (1.0 + step);
    for (int k = 0; k < 5; ++k) {
      const int axis = static_cast<int>(draw() % 4);
      x = tanh(x * 0.5 - mean(x, {axis}, true));  // ill
    }
    total += sum(x).item();
  }
}
