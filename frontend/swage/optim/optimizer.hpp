// What optimisers share. `step()` updates the parameters in place from their gradients, consumes the gradients (grad() is undefined
// afterwards) and ends the step of the engine. Learning rates and everything else that changes from step to step are inputs of the trace:
// changing them costs nothing.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include <swage/tensor.hpp>

namespace swage::optim {

enum class Gradients { consume, keep };
inline constexpr Gradients keep_gradients = Gradients::keep;

// Everything that a run needs to go on where it stopped: named tensors (the optimiser's own, not copies) and named numbers.
struct OptimizerState {
  std::vector<std::pair<std::string, Tensor>> tensors;
  std::vector<std::pair<std::string, double>> numbers;
};

class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  // Parameters without a gradient are left alone.
  void step(Gradients gradients = Gradients::consume);
  void zero_grad() const;

  double lr() const { return lr_; }
  void set_lr(double lr) { lr_ = lr; }
  std::int64_t steps() const { return steps_; }
  const std::vector<Tensor>& parameters() const { return parameters_; }

  // While it goes on. Parameters that join come last, and have a count of steps of their own from then on (what Adam's bias correction
  // asks for); those that leave take their state with them, and the ones behind them move up. ValueError where one that joins is no leaf
  // that requires a gradient, or is there already, and where one that leaves is not; nothing has changed then.
  void add_parameters(const std::vector<Tensor>& parameters);
  void remove_parameters(const std::vector<Tensor>& parameters);
  bool has(const Tensor& parameter) const { return position_of(parameter) < parameters_.size(); }
  // The optimizer's own tensors beside a parameter, for who changes that (nn/growth.hpp); some may be undefined, and there are none where it
  // is not a parameter of this. `is_scale`: the k-th says how large gradients are, rather than where the parameter goes.
  std::span<Tensor> slots_of(const Tensor& parameter);
  virtual bool is_scale(std::size_t) const { return false; }

  // Tensors are named "0.momentum" and so on by the parameter's position; numbers hold "step" and "lr", and for a parameter that
  // joined later "3.joined", the step before.
  OptimizerState state() const;
  // Copies the values of `state()` of an optimiser over parameters of the same shapes. ValueError names what is missing.
  void load_state(const OptimizerState& state);

 protected:
  // Parameters are leaves that require a gradient, else ValueError.
  Optimizer(std::vector<Tensor> parameters, double lr, std::vector<std::string> slots);

  virtual void begin_step() {}
  // Updates parameter i; called under no_grad.
  virtual void update(const Tensor& parameter, const Tensor& gradient, std::size_t i) = 0;
  // The same where only some rows have a gradient: `index` (n,1), each row once, and `gradient` (n,width). Called in place of `update`, with
  // the gradient as it is kept, by optimizers that know what to do then.
  virtual bool knows_rows() const { return false; }
  virtual void update_rows(const Tensor& parameter, const Tensor& index, const Tensor& gradient, std::size_t i);
  // The optimiser's own tensor beside parameter i; undefined until it is first set.
  Tensor& slot(std::size_t i, std::size_t k) { return slots_[i * names_.size() + k]; }
  // Steps since parameter i joined, this one included.
  std::int64_t steps_of(std::size_t i) const { return steps_ - joined_[i]; }

 private:
  std::size_t position_of(const Tensor& parameter) const;  // behind the last where it is none of them
  bool updated_by_rows(std::size_t i);

  std::vector<Tensor> parameters_;
  std::vector<std::string> names_;
  std::vector<Tensor> slots_;
  std::vector<std::int64_t> joined_;  // by parameter: the steps done when it came
  double lr_;
  std::int64_t steps_ = 0;
};

}  // namespace swage::optim
