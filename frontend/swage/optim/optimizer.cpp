#include <swage/optim/optimizer.hpp>

#include <algorithm>
#include <unordered_map>

#include <runtime/core/error.hpp>
#include <swage/autograd/grad_mode.hpp>
#include <swage/autograd/row_gradients.hpp>
#include <swage/detail/call.hpp>

namespace swage::optim {

namespace {

// The whole gradient is kept as rows.
bool only_rows(const Tensor& parameter) { return autograd::has_rows(parameter) && !autograd::meta_of(parameter.value())->grad; }

void require_leaf(const Tensor& parameter) {
  if (!parameter.defined() || !parameter.requires_grad() || !parameter.is_leaf())
    raise<ValueError>(SiteScope::or_else({}), "[optimizer] parameters must be leaves that require a gradient");
}

}  // namespace

Optimizer::Optimizer(std::vector<Tensor> parameters, double lr, std::vector<std::string> slots)
    : parameters_(std::move(parameters)),
      names_(std::move(slots)),
      slots_(parameters_.size() * names_.size()),
      joined_(parameters_.size()),
      lr_(lr) {
  for (const Tensor& parameter : parameters_) require_leaf(parameter);
}

std::size_t Optimizer::position_of(const Tensor& parameter) const {
  const auto same = [&](const Tensor& known) { return known.value() == parameter.value(); };
  return static_cast<std::size_t>(std::ranges::find_if(parameters_, same) - parameters_.begin());
}

std::span<Tensor> Optimizer::slots_of(const Tensor& parameter) {
  const std::size_t i = position_of(parameter);
  if (i == parameters_.size()) return {};
  return std::span(slots_).subspan(i * names_.size(), names_.size());
}

void Optimizer::add_parameters(const std::vector<Tensor>& parameters) {
  const SiteScope scope(caller());
  for (auto each = parameters.begin(); each != parameters.end(); ++each) {
    require_leaf(*each);
    const auto same = [&](const Tensor& earlier) { return earlier.value() == each->value(); };
    if (has(*each) || std::any_of(parameters.begin(), each, same))
      raise<ValueError>(SiteScope::or_else({}), "[add_parameters] a parameter of shape {} is there already",
                        to_string(each->sizes()));
  }
  const std::size_t n = parameters_.size() + parameters.size();
  parameters_.reserve(n);
  slots_.reserve(n * names_.size());
  joined_.resize(n, steps_);
  parameters_.insert(parameters_.end(), parameters.begin(), parameters.end());
  slots_.resize(n * names_.size());
}

void Optimizer::remove_parameters(const std::vector<Tensor>& parameters) {
  const SiteScope scope(caller());
  for (const Tensor& parameter : parameters)
    if (!has(parameter)) raise<ValueError>(SiteScope::or_else({}), "[remove_parameters] a tensor is not a parameter of this");
  for (const Tensor& parameter : parameters) {
    const auto i = static_cast<std::ptrdiff_t>(position_of(parameter));
    if (static_cast<std::size_t>(i) == parameters_.size()) continue;  // named twice
    const auto n = static_cast<std::ptrdiff_t>(names_.size());
    parameters_.erase(parameters_.begin() + i);
    slots_.erase(slots_.begin() + i * n, slots_.begin() + (i + 1) * n);
    joined_.erase(joined_.begin() + i);
  }
}

void Optimizer::step(Gradients gradients) {
  const SiteScope scope(caller());
  ++steps_;
  {
    NoGradGuard no_grad;
    begin_step();
    // Rows first, and by themselves: their number is another at every step, what follows is the same.
    std::size_t n = 0;
    for (std::size_t i = 0; i < parameters_.size(); ++i)
      if (updated_by_rows(i)) ++n;
    if (n != 0) detail::stream().cut(CutReason::scope, SiteScope::or_else({}));
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      if (n != 0 && only_rows(parameters_[i]) && knows_rows()) continue;
      const Tensor gradient = parameters_[i].grad();
      if (gradient.defined()) update(parameters_[i], gradient, i);
    }
  }
  if (gradients == Gradients::consume) zero_grad();
  detail::stream().cut(CutReason::step_end, SiteScope::or_else({}));
}

void Optimizer::update_rows(const Tensor&, const Tensor&, const Tensor&, std::size_t) {}

bool Optimizer::updated_by_rows(std::size_t i) {
  if (!knows_rows() || !only_rows(parameters_[i])) return false;
  const autograd::SummedRows rows = autograd::summed_rows(parameters_[i]);
  update_rows(parameters_[i], rows.index, rows.values, i);
  return true;
}

void Optimizer::zero_grad() const {
  for (const Tensor& parameter : parameters_) parameter.set_grad({});
}

OptimizerState Optimizer::state() const {
  OptimizerState state;
  for (std::size_t i = 0; i < parameters_.size(); ++i)
    for (std::size_t k = 0; k < names_.size(); ++k)
      if (const Tensor& tensor = slots_[i * names_.size() + k]; tensor.defined())
        state.tensors.emplace_back(fmt::format("{}.{}", i, names_[k]), tensor);
  state.numbers = {{"step", static_cast<double>(steps_)}, {"lr", lr_}};
  for (std::size_t i = 0; i < parameters_.size(); ++i)
    if (joined_[i] != 0) state.numbers.emplace_back(fmt::format("{}.joined", i), static_cast<double>(joined_[i]));
  return state;
}

void Optimizer::load_state(const OptimizerState& state) {
  const SiteScope scope(caller());
  const CallSite site = SiteScope::or_else({});
  const std::unordered_map<std::string, Tensor> tensors(state.tensors.begin(), state.tensors.end());
  const std::unordered_map<std::string, double> numbers(state.numbers.begin(), state.numbers.end());
  for (const char* name : {"step", "lr"})
    if (!numbers.contains(name)) raise<ValueError>(site, "[load_state] the number '{}' is missing", name);
  std::vector<Tensor> slots(slots_.size());
  std::size_t found = 0;
  for (std::size_t i = 0; i < parameters_.size(); ++i)
    for (std::size_t k = 0; k < names_.size(); ++k) {
      const std::string name = fmt::format("{}.{}", i, names_[k]);
      const auto entry = tensors.find(name);
      if (entry == tensors.end()) continue;
      ++found;
      const Tensor &tensor = entry->second, &parameter = parameters_[i];
      if (!(tensor.sizes() == parameter.sizes()) || tensor.dtype() != parameter.dtype())
        raise<ShapeError>(site, "[load_state] '{}' must have the parameter's shape {}, not {}", name,
                          to_string(parameter.sizes()), to_string(tensor.sizes()));
      NoGradGuard no_grad;
      slots[i * names_.size() + k] = tensor.clone();
    }
  if (found != tensors.size()) raise<ValueError>(site, "[load_state] the state is of another kind of optimizer or model");
  std::vector<std::int64_t> joined(parameters_.size());
  for (std::size_t i = 0; i < joined.size(); ++i)
    if (const auto later = numbers.find(fmt::format("{}.joined", i)); later != numbers.end())
      joined[i] = static_cast<std::int64_t>(later->second);
  slots_ = std::move(slots);
  joined_ = std::move(joined);
  steps_ = static_cast<std::int64_t>(numbers.at("step"));
  lr_ = numbers.at("lr");
}

}  // namespace swage::optim
