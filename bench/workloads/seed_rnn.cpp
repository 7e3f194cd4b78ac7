// The define-by-run textbook snippet: one step of a recurrent network on fresh random numbers, forward and backward. Everything
// is drawn and built anew in every step; nothing is kept.
#include <bench/workloads/all.hpp>
#include <swage/swage.hpp>

namespace swage::bench {
namespace {

StepOutputs program() {
  using namespace swage;
  Tensor x = randn({1, 10}), prev_h = randn({1, 20});
  Tensor W_h = randn({20, 20}).requires_grad_(), W_x = randn({20, 10}).requires_grad_();
  Tensor i2h = matmul(W_x, x.t());
  Tensor h2h = matmul(W_h, prev_h.t());
  Tensor next_h = tanh(i2h + h2h);
  next_h.backward(ones({20, 1}));
  Tensor g = W_h.grad();

  return {.loss = {}, .outputs = {next_h, g}};
}

class SeedRnn final : public Workload {
 public:
  StepOutputs step() override {
    StepOutputs outputs = program();
    swage::step();
    return outputs;
  }
  std::int64_t units_per_step() const override { return 1; }
};

}  // namespace

std::unique_ptr<Workload> make_seed_rnn(const WorkloadOptions&) { return std::make_unique<SeedRnn>(); }

}  // namespace swage::bench
