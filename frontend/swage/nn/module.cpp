#include <swage/nn/module.hpp>

#include <optional>
#include <unordered_map>
#include <unordered_set>

#include <runtime/core/error.hpp>
#include <swage/autograd/grad_mode.hpp>
#include <swage/io/safetensors.hpp>

namespace swage::nn {

Tensor Module::operator()(const Tensor& x) {
  const CallSite site = caller();
  std::optional<SiteScope> scope;
  if (state_->library) scope.emplace(site);
  return forward(x);
}

void Module::collect(const State& state, const std::string& prefix, unsigned kinds, NamedTensors& into) {
  if (kinds & kParameters)
    for (const auto& [name, tensor] : state.parameters) into.emplace_back(prefix + name, tensor);
  if (kinds & kBuffers)
    for (const auto& [name, tensor] : state.buffers) into.emplace_back(prefix + name, tensor);
  for (const auto& [name, child] : state.children) collect(*child, prefix + name + ".", kinds, into);
}

NamedTensors Module::named_parameters() const {
  NamedTensors result;
  collect(*state_, "", kParameters, result);
  return result;
}
NamedTensors Module::named_buffers() const {
  NamedTensors result;
  collect(*state_, "", kBuffers, result);
  return result;
}
NamedTensors Module::state_dict() const {
  NamedTensors result;
  collect(*state_, "", kParameters | kBuffers, result);
  return result;
}
std::vector<Tensor> Module::parameters() const {
  std::vector<Tensor> result;
  for (auto& [name, tensor] : named_parameters()) result.push_back(tensor);
  return result;
}

void Module::load_state_dict(const NamedTensors& state) const {
  const SiteScope scope(caller());
  const CallSite site = SiteScope::or_else({});
  const std::unordered_map<std::string, Tensor> given(state.begin(), state.end());
  const NamedTensors own = state_dict();
  std::unordered_set<std::string> known;
  for (const auto& [name, tensor] : own) {
    known.insert(name);
    const auto found = given.find(name);
    if (found == given.end()) raise<ValueError>(site, "[load_state_dict] '{}' is missing", name);
    const Tensor& source = found->second;
    if (!(source.sizes() == tensor.sizes()) || source.dtype() != tensor.dtype())
      raise<ShapeError>(site, "[load_state_dict] '{}' must be {} of shape {}, not {} of shape {}", name,
                        name_of(tensor.dtype()), to_string(tensor.sizes()), name_of(source.dtype()), to_string(source.sizes()));
  }
  for (const auto& [name, tensor] : state)
    if (!known.contains(name)) raise<ValueError>(site, "[load_state_dict] '{}' is not part of this module", name);
  NoGradGuard no_grad;
  for (const auto& [name, tensor] : own) tensor.copy_(given.at(name));
}

void Module::set_training(State& state, bool training) {
  state.training = training;
  for (const auto& [name, child] : state.children) set_training(*child, training);
}
void Module::train(bool training) const { set_training(*state_, training); }

void Module::zero_grad() const {
  for (const Tensor& parameter : parameters()) parameter.set_grad({});
}

void Module::save(const std::string& path) const {
  const SiteScope scope(caller());
  save_safetensors(path, state_dict());
}
void Module::load(const std::string& path) const {
  const SiteScope scope(caller());
  load_state_dict(load_safetensors(path));
}

Tensor Module::register_parameter(std::string name, const Tensor& parameter) {
  parameter.requires_grad_();
  state_->parameters.emplace_back(std::move(name), parameter);
  return parameter;
}
Tensor Module::register_buffer(std::string name, const Tensor& buffer) {
  state_->buffers.emplace_back(std::move(name), buffer);
  return buffer;
}
void Module::register_module(std::string name, const Module& child) {
  state_->children.emplace_back(std::move(name), child.state_);
}
void Module::register_modules_anew(const std::vector<std::pair<std::string, const Module*>>& children) {
  std::vector<std::pair<std::string, std::shared_ptr<State>>> anew;
  anew.reserve(children.size());
  for (const auto& [name, child] : children) anew.emplace_back(name, child->state_);
  state_->children.swap(anew);
}

}  // namespace swage::nn
