// A part of a network: named parameters (trained), buffers (kept but not trained) and children.
//
//   struct Net : nn::Module {
//     nn::Linear first{784, 512}, second{512, 10};
//     Net() { register_module("first", first), register_module("second", second); }
//     Tensor forward(const Tensor& x) override { return second(relu(first(x))); }
//   };
//
// Modules have the semantics of tensors: a copy names the same parameters. Names are those of PyTorch ("0.weight",
// "bn1.running_mean"), in order of registration: own parameters first, then own buffers, then children.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <swage/tensor.hpp>

namespace swage::nn {

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

class Module {
 public:
  virtual ~Module() = default;

  virtual Tensor forward(const Tensor& x) = 0;
  Tensor operator()(const Tensor& x);

  // All of them, children's included; the handles name the module's own tensors.
  std::vector<Tensor> parameters() const;
  NamedTensors named_parameters() const;
  NamedTensors named_buffers() const;
  NamedTensors state_dict() const;  // parameters and buffers, module by module
  // Copies values in. Every name must be there, with the module's shape and type, and no other: else ValueError or ShapeError,
  // with nothing changed.
  void load_state_dict(const NamedTensors& state) const;

  // Training (the default) or evaluation, children included.
  void train(bool training = true) const;
  void eval() const { train(false); }
  bool training() const { return state_->training; }

  void zero_grad() const;  // drops all gradients

  // The state in a safetensors file (io/safetensors.hpp). Raises IoError; loading also as load_state_dict.
  void save(const std::string& path) const;
  void load(const std::string& path) const;

 protected:
  Module() : state_(std::make_shared<State>()) {}
  // Modules of the library let errors name the line that called them.
  struct Library {};
  explicit Module(Library) : Module() { state_->library = true; }

  Tensor register_parameter(std::string name, const Tensor& parameter);  // from now on it requires a gradient
  Tensor register_buffer(std::string name, const Tensor& buffer);
  void register_module(std::string name, const Module& child);
  // In place of all children; nothing has changed where it raises.
  void register_modules_anew(const std::vector<std::pair<std::string, const Module*>>& children);

 private:
  struct State {
    NamedTensors parameters, buffers;
    std::vector<std::pair<std::string, std::shared_ptr<State>>> children;
    bool training = true;
    bool library = false;
  };
  enum Kinds : unsigned { kParameters = 1, kBuffers = 2 };
  static void collect(const State& state, const std::string& prefix, unsigned kinds, NamedTensors& into);
  static void set_training(State& state, bool training);

  std::shared_ptr<State> state_;
};

}  // namespace swage::nn
