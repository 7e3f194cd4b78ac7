#include <bench/micro/programs.hpp>

#include <runtime/core/split_mix.hpp>

namespace swage::bench {

Tensor added(const Tensor& x, const Tensor& y, int n) {
  Tensor z = x;
  for (int k = 0; k < n; ++k) z = z + y;
  return z;
}

Tensor drawn_ops(const Tensor& x, const Tensor& y, int n, std::uint64_t variant) {
  std::uint64_t state = variant;
  Tensor z = x;
  for (int k = 0; k < n; ++k) {
    switch ((split_mix(state) >> 32) % 8) {
      case 0: z = z + y; break;
      case 1: z = z * y; break;
      case 2: z = maximum(z, y); break;
      case 3: z = minimum(z, y); break;
      case 4: z = tanh(z); break;
      case 5: z = sigmoid(z); break;
      case 6: z = abs(z); break;
      default: z = z - y;
    }
  }
  return z;
}

}  // namespace swage::bench
