// A perceptron learns the potential of a pair of atoms, and through its derivative their force: gradients through gradients.
//
// The network is 1-16-16-16-16-1 with tanh between its layers, drawn layer by layer as nn::Linear draws (weight, bias). At
// r = 0.5 … 2 in 1,000 equal steps, with s = 0.5/r, the wanted energy is s¹² − 2·s⁶ and the wanted force 12·(s¹² − s⁶)/r, computed in f64
// and rounded to f32. The force of the network is −dE/dr. Loss: the mean of (E − E*)² plus the mean of (F − F*)²; Adam, lr 1e-3.
#include <bench/workloads/all.hpp>
#include <bench/workloads/state.hpp>
#include <swage/swage.hpp>

namespace swage::bench {
namespace {

constexpr std::int64_t kPoints = 1000;

class LennardJones final : public Workload {
 public:
  LennardJones() {
    std::vector<float> r, energy, force;
    for (std::int64_t i = 0; i < kPoints; ++i) {
      const double x = 0.5 + 1.5 * static_cast<double>(i) / (kPoints - 1);
      const double s = 0.5 / x, s6 = s * s * s * s * s * s;
      r.push_back(static_cast<float>(x));
      energy.push_back(static_cast<float>(s6 * s6 - 2 * s6));
      force.push_back(static_cast<float>(12 * (s6 * s6 - s6) / x));
    }
    r_ = tensor(r, {kPoints, 1}).requires_grad_();
    energy_ = tensor(energy, {kPoints, 1});
    force_ = tensor(force, {kPoints, 1});
  }

  StepOutputs step() override {
    Tensor energy = model_(r_);
    Tensor force = -grad({sum(energy)}, {r_}, {}, true, true)[0];
    Tensor loss = mse_loss(energy, energy_) + mse_loss(force, force_);
    const std::vector<Tensor>& parameters = optimizer_.parameters();
    const std::vector<Tensor> gradients = grad({loss}, parameters);  // not of r, which backward() would go on to
    for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i].set_grad(gradients[i]);
    optimizer_.step();
    return {.loss = loss, .outputs = {energy, force}};
  }
  std::int64_t units_per_step() const override { return kPoints; }

  WorkloadState state() override {
    WorkloadState state;
    add_state(state, model_);
    add_state(state, optimizer_);
    return state;
  }
  void load_state(const WorkloadState& state) override {
    bench::load_state(state, model_);
    bench::load_state(state, optimizer_);
  }

 private:
  nn::Sequential model_{nn::Linear(1, 16), nn::Tanh(),         nn::Linear(16, 16), nn::Tanh(),       nn::Linear(16, 16),
                        nn::Tanh(),        nn::Linear(16, 16), nn::Tanh(),         nn::Linear(16, 1)};
  optim::Adam optimizer_{model_.parameters(), {.lr = 1e-3}};
  Tensor r_, energy_, force_;
};

}  // namespace

std::unique_ptr<Workload> make_lennard_jones(const WorkloadOptions&) { return std::make_unique<LennardJones>(); }

}  // namespace swage::bench
