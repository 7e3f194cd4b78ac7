// A path for each sample, chosen by what is in it: a gate sends a sample through one of three experts, and half of them leave early. Samples
// that take the same way run together.
#include <array>
#include <cstdio>

#include <dynamic.hpp>

#include <swage/batch/run.hpp>
#include <swage/swage.hpp>

namespace swage::dynamic {

void router() {
  manual_seed(2);
  nn::Linear gate{8, 3}, last{8, 1};
  std::array<nn::Linear, 3> experts = {nn::Linear{8, 8}, nn::Linear{8, 8}, nn::Linear{8, 8}};
  const Tensor samples = randn({64, 8});
  const std::vector<std::int64_t> route = no_grad([&] { return argmax(gate(samples), 1).to_vector<std::int64_t>(); });

  const std::uint64_t before = grouping::batch_stats().groups;
  const Tensor total = batch([&] {
    std::vector<Tensor> outputs;
    for (std::int64_t i = 0; i < samples.size(0); ++i) {
      const auto chosen = static_cast<std::size_t>(route[static_cast<std::size_t>(i)]);
      Tensor h = relu(experts[chosen](samples[i]));
      if (i % 2) h = relu(experts[(chosen + 1) % 3](h));  // this one goes further
      outputs.push_back(last(h));
    }
    return sum_of(outputs);
  });
  total.backward();
  std::printf("64 samples took their ways in %s\n",
              grouping::batch_stats().groups - before < 64 ? "fewer groups than there are samples" : "too many groups");
  for (const nn::Linear& expert : experts) std::printf("expert: gradient %s\n", expert.weight.grad().defined() ? "yes" : "no");
}

}  // namespace swage::dynamic
