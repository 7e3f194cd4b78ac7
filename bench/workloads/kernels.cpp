// Kernels on 2^log2 elements, one formula each: what generated code is held against the machine's limits with. Inputs are drawn in the
// order in which they stand as randn, but for adam_update's v, which is rand; `rows` are of 1,024 (all of it, where there are fewer).
#include <functional>

#include <bench/workloads/all.hpp>
#include <swage/swage.hpp>

namespace swage::bench {
namespace {

using Formula = std::function<OutputList()>;

class Kernel final : public Workload {
 public:
  Kernel(std::int64_t elements, Formula formula) : elements_(elements), formula_(std::move(formula)) {}

  StepOutputs step() override {
    StepOutputs outputs{.loss = {}, .outputs = formula_()};
    swage::step();
    return outputs;
  }
  std::int64_t units_per_step() const override { return elements_; }

 private:
  std::int64_t elements_;
  Formula formula_;
};

std::int64_t elements(const WorkloadOptions& options) {
  if (options.log2 < 0 || options.log2 > 30) raise<ValueError>({}, "--log2 is from 0 to 30, not {}", options.log2);
  return std::int64_t{1} << options.log2;
}

std::unique_ptr<Workload> kernel(const WorkloadOptions& options, Formula formula) {
  return std::make_unique<Kernel>(elements(options), std::move(formula));
}

Tensor rows(const WorkloadOptions& options) {
  const std::int64_t n = elements(options), row = std::min<std::int64_t>(n, 1024);
  return randn({n / row, row});
}

}  // namespace

// exp(x − max)/Σ over each row.
std::unique_ptr<Workload> make_softmax(const WorkloadOptions& options) {
  return kernel(options, [x = rows(options)] { return OutputList{softmax(x, 1)}; });
}

// (x − mean)/√(variance + 1e-5) over each row.
std::unique_ptr<Workload> make_layer_norm(const WorkloadOptions& options) {
  return kernel(options, [x = rows(options)] { return OutputList{layer_norm(x, {x.size(1)})}; });
}

// x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))).
std::unique_ptr<Workload> make_gelu(const WorkloadOptions& options) {
  return kernel(options, [x = randn({elements(options)})] { return OutputList{gelu(x)}; });
}

std::unique_ptr<Workload> make_sum(const WorkloadOptions& options) {
  return kernel(options, [x = randn({elements(options)})] { return OutputList{sum(x)}; });
}

// a + 0.1·b.
std::unique_ptr<Workload> make_axpy(const WorkloadOptions& options) {
  const std::int64_t n = elements(options);
  const Tensor a = randn({n}), b = randn({n});
  return kernel(options, [=] { return OutputList{a + b * 0.1}; });
}

// One step of Adam without bias correction into fresh tensors: p, m and v from p, m, v and the gradient g.
std::unique_ptr<Workload> make_adam_update(const WorkloadOptions& options) {
  const std::int64_t n = elements(options);
  const Tensor p = randn({n}), m = randn({n}), v = rand({n}), g = randn({n});
  return kernel(options, [=] {
    const Tensor mean = m * 0.9 + g * 0.1;
    const Tensor variance = v * 0.999 + square(g) * 0.001;
    return OutputList{p - mean * 1e-3 / (sqrt(variance) + 1e-8), mean, variance};
  });
}

}  // namespace swage::bench
