#include <random>
#include <unordered_map>
#include <vector>

#include <programs.hpp>

#include <swage/swage.hpp>

// Features of a request are put through their layers in whatever order the container has them.
void swage::inspector::unordered_ops() {
  manual_seed(1);
  std::mt19937_64 ids(7);
  std::vector<Tensor> layers;
  for (int k = 0; k < 12; ++k) layers.push_back(randn({8 + 4 * k, 16}) * 0.1);
  double total = 0;
  while (running()) {
    std::unordered_map<std::uint64_t, int> fields;
    for (int k = 0; k < 12; ++k) fields[ids()] = k;
    Tensor h = zeros({4, 16});
    for (const auto& [id, k] : fields) {
      h = tanh(h + matmul(ones({4, 8 + 4 * k}), layers[static_cast<std::size_t>(k)]));  // ill
    }
    total += sum(h).item();
  }
}
