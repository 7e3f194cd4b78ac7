#pragma once

#include <concepts>
#include <memory>
#include <string>
#include <vector>

#include <swage/nn/module.hpp>

namespace swage::nn {

// Modules one after the other, named "0", "1", …: `Sequential(Linear(4, 8), ReLU(), Linear(8, 2))`.
class Sequential : public Module {
 public:
  template <std::derived_from<Module>... Modules>
  explicit Sequential(const Modules&... modules) : Module(Library{}) {
    (append(modules), ...);
  }
  template <std::derived_from<Module> M>
  void append(const M& module) {
    register_module(std::to_string(modules_.size()), module);
    modules_.push_back(std::make_shared<M>(module));
  }
  Tensor forward(const Tensor& x) override;
  std::size_t size() const { return modules_.size(); }
  Module& operator[](std::size_t i) const { return *modules_.at(i); }

 private:
  std::vector<std::shared_ptr<Module>> modules_;
};

}  // namespace swage::nn
