#include <programs.hpp>

#include <swage/swage.hpp>

// A search for the best depth: each candidate runs until its plan has been made, and then no more.
void swage::inspector::plan_that_cannot_pay() {
  manual_seed(1);
  const Tensor input = randn({8, 16}), shift = randn({16}) * 0.1;
  for (int depth = 10; depth < 16; ++depth) {
    const std::uint64_t plans = stats().compiles;
    for (int run = 0; run < 200'000 && (run % 100 != 0 || stats().compiles == plans); ++run) {
      Tensor x = input;
      for (int k = 0; k < depth; ++k) x = tanh(x * 0.9 + shift);  // ill
      if (run % 10 == 0 && sum(x).item() > 1e9) return;
    }
  }
}
