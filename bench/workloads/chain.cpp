// A hundred dependent additions on 16 elements: overhead alone.
#include <bench/workloads/all.hpp>
#include <swage/swage.hpp>

namespace swage::bench {
namespace {

class Chain final : public Workload {
 public:
  Chain() {
    for (Tensor& addend : addends_) addend = randn({16});
  }

  StepOutputs step() override {
    Tensor y = x_;
    for (const Tensor& addend : addends_) y = y + addend;
    swage::step();
    return {.loss = {}, .outputs = {y}};
  }
  std::int64_t units_per_step() const override { return static_cast<std::int64_t>(addends_.size()); }

 private:
  Tensor x_ = randn({16});
  std::array<Tensor, 100> addends_;
};

}  // namespace

std::unique_ptr<Workload> make_chain(const WorkloadOptions&) { return std::make_unique<Chain>(); }

}  // namespace swage::bench
