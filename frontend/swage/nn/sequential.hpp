#pragma once

#include <concepts>
#include <memory>
#include <vector>

#include <runtime/core/call_site.hpp>
#include <swage/nn/module.hpp>

namespace swage::nn {

// Modules one after the other, named "0", "1", …: `Sequential(Linear(4, 8), ReLU(), Linear(8, 2))`. Copies are one network: what is inserted,
// removed or replaced in one is so in all of them, and the modules behind it get new names. An optimizer is not told; nn/growth.hpp has
// functions that tell it.
class Sequential : public Module {
 public:
  template <std::derived_from<Module>... Modules>
  explicit Sequential(const Modules&... modules) : Module(Library{}) {
    (append(modules), ...);
  }
  template <std::derived_from<Module> M>
  void append(const M& module) {
    put(size(), std::make_shared<M>(module), false, {});
  }
  // Before module i; i = size() appends. IndexError beyond.
  template <std::derived_from<Module> M>
  [[gnu::noinline]] void insert(std::size_t i, const M& module) {
    put(i, std::make_shared<M>(module), false, caller());
  }
  // In place of module i. IndexError where there is none.
  template <std::derived_from<Module> M>
  [[gnu::noinline]] void replace(std::size_t i, const M& module) {
    put(i, std::make_shared<M>(module), true, caller());
  }
  // Takes module i out and gives it. IndexError where there is none.
  std::shared_ptr<Module> remove(std::size_t i);

  Tensor forward(const Tensor& x) override;
  std::size_t size() const { return modules_->size(); }
  Module& operator[](std::size_t i) const { return *modules_->at(i); }

 private:
  using Modules = std::vector<std::shared_ptr<Module>>;
  void put(std::size_t i, std::shared_ptr<Module> module, bool replaces, CallSite site);
  void become(Modules modules);

  std::shared_ptr<Modules> modules_ = std::make_shared<Modules>();
};

}  // namespace swage::nn
