#include <swage/snapshot.hpp>

#include <runtime/engine/snapshot.hpp>
#include <swage/detail/call.hpp>

namespace swage {
namespace {

Tensor snapshot_of(CallSite site, const Tensor& tensor) {
  detail::require_defined(site, "snapshot", tensor);
  return Tensor(swage::snapshot(*tensor.value(), site));
}

}  // namespace

Tensor snapshot(const Tensor& tensor) { return snapshot_of(SiteScope::or_else(caller()), tensor); }

std::vector<Tensor> snapshot(std::span<const Tensor> tensors) {
  const CallSite site = SiteScope::or_else(caller());
  std::vector<Tensor> taken;
  taken.reserve(tensors.size());
  for (const Tensor& tensor : tensors) taken.push_back(snapshot_of(site, tensor));
  return taken;
}

nn::NamedTensors snapshot(const nn::Module& module) {
  const CallSite site = SiteScope::or_else(caller());
  nn::NamedTensors taken = module.state_dict();
  for (auto& [name, tensor] : taken) tensor = snapshot_of(site, tensor);
  return taken;
}

}  // namespace swage
