// tanh(ab + c)·exp(−d²) on 2^log2 elements: what fusion is for.
#include <bench/workloads/all.hpp>
#include <swage/swage.hpp>

namespace swage::bench {
namespace {

class Pointwise final : public Workload {
 public:
  explicit Pointwise(std::int64_t n) : n_(n) {}

  StepOutputs step() override {
    Tensor y = tanh(a_ * b_ + c_) * exp(-(d_ * d_));
    swage::step();
    return {.loss = {}, .outputs = {y}};
  }
  std::int64_t units_per_step() const override { return n_; }

 private:
  std::int64_t n_;
  Tensor a_ = randn({n_}), b_ = randn({n_}), c_ = randn({n_}), d_ = randn({n_});
};

}  // namespace

std::unique_ptr<Workload> make_pointwise(const WorkloadOptions& options) {
  if (options.log2 < 0 || options.log2 > 30) raise<ValueError>({}, "--log2 is from 0 to 30, not {}", options.log2);
  return std::make_unique<Pointwise>(std::int64_t{1} << options.log2);
}

}  // namespace swage::bench
