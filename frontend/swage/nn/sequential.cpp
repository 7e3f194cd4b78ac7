#include <swage/nn/sequential.hpp>

#include <runtime/core/error.hpp>

namespace swage::nn {

Tensor Sequential::forward(const Tensor& x) {
  // A module may change the network that it stands in.
  const Modules modules = *modules_;
  Tensor result = x;
  for (const auto& module : modules) result = (*module)(result);
  return result;
}

void Sequential::put(std::size_t i, std::shared_ptr<Module> module, bool replaces, CallSite site) {
  if (i >= size() + (replaces ? 0 : 1))
    raise<IndexError>(SiteScope::or_else(site), "[Sequential::{}] there is no place {} among {} modules",
                      replaces ? "replace" : "insert", i, size());
  Modules modules = *modules_;
  const auto at = modules.begin() + static_cast<std::ptrdiff_t>(i);
  if (replaces)
    *at = std::move(module);
  else
    modules.insert(at, std::move(module));
  become(std::move(modules));
}

std::shared_ptr<Module> Sequential::remove(std::size_t i) {
  const CallSite site = SiteScope::or_else(caller());
  if (i >= size()) raise<IndexError>(site, "[Sequential::remove] there is no place {} among {} modules", i, size());
  Modules modules = *modules_;
  const auto at = modules.begin() + static_cast<std::ptrdiff_t>(i);
  std::shared_ptr<Module> removed = *at;
  modules.erase(at);
  become(std::move(modules));
  return removed;
}

void Sequential::become(Modules modules) {
  std::vector<std::pair<std::string, const Module*>> named;
  named.reserve(modules.size());
  for (std::size_t i = 0; i < modules.size(); ++i) named.emplace_back(std::to_string(i), modules[i].get());
  register_modules_anew(named);
  modules_->swap(modules);
}

}  // namespace swage::nn
