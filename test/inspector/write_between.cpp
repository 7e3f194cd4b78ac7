#include <programs.hpp>

#include <swage/swage.hpp>

namespace {

swage::Tensor score(const swage::Tensor& x, double scale) {
  const swage::Tensor h = swage::tanh(x * scale) * 2.0;
  h.narrow(1, 0, 1).zero_();  // ill
  return swage::sum(swage::square(h + 1.0) * 0.5);
}

}  // namespace

// One column is cleared in the middle of a chain that would be one loop.
void swage::inspector::write_between() {
  manual_seed(1);
  const Tensor x = randn({256, 256});
  double total = 0;
  for (int step = 0; running(); ++step) {
    const Tensor result = score(x, 0.5 + 0.5 / (1 + step));
    total += result.item();
  }
}
