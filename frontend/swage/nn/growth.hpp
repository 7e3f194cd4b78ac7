// Networks that change while they learn. Layers get more units, and a Sequential gets, loses or swaps layers; what an optimizer knows about the
// parameters follows. Parameters stay the same tensors under all their handles, so whoever names one sees it grow: copies of modules,
// optimizers, lists of parameters.
//
//   nn::widen(first, second, 64, {.noise = 0.1}, &optimizer);       // the same function, with 64 units between the two
//   nn::insert(net, 2, nn::identity_linear(64), &optimizer);        // and one layer more, after a ReLU
//   nn::insert(net, 3, nn::ReLU(), &optimizer);
//
// After Chen, Goodfellow and Shlens, "Net2Net: accelerating learning via knowledge transfer", ICLR 2016. Between steps; or within one, after
// backward: gradients follow as well. While a tape waits for its backward that reads a parameter, the parameter cannot change its
// shape: ValueError, or AutogradError from that backward where the tape holds on to nothing of it. Views of a parameter that the program
// holds are a ValueError too, pointers from `mutable_data` end. An error leaves everything as it was. In a batch scope what was
// collected runs first.
#pragma once

#include <concepts>
#include <cstdint>
#include <vector>

#include <runtime/core/call_site.hpp>
#include <swage/nn/conv2d.hpp>
#include <swage/nn/linear.hpp>
#include <swage/nn/sequential.hpp>
#include <swage/optim/optimizer.hpp>

namespace swage::nn {

struct WidenOptions {
  // New units are copies of the old ones, in turn, and what the next layer takes from a unit is divided by the number of its copies: the
  // network computes what it did, but for rounding. (Net2WiderNet; the paper draws the units that are copied.) Otherwise new units and
  // what is taken from them start as in a new layer.
  bool preserve = true;
  // Copies that are exactly alike learn alike. Normal noise on the copies' incoming weights, in units of the root mean square of these
  // weights, tells them apart.
  double noise = 0;
};

// Widens `layer` to `width` outputs (units, channels) and `next`, which takes them, to as many inputs. Each is a Linear or a Conv2d; a Linear
// behind a convolution that was flattened takes each channel as a run of columns. `between`: a BatchNorm2d, or a LayerNorm over the units,
// with weights; the latter keeps the function only where every unit has as many copies, so `width` must be a multiple then.
//
// State of the optimizer, and gradients, where they are there. Of copied units: velocities (SGD's momentum, Adam's mean) change as the parameters
// do, Adam's mean of squares is copied undivided, so that the next step moves the function as it would have moved it before. Gradients
// are those of the widened network. Of units that start anew: zero; their parameter's count of steps goes on, so Adam moves them up to about
// three times as far as usual in the first steps.
//
// Raises ValueError for other modules, widths that are not larger, parameters in use, negative noise; ShapeError where the modules do not
// fit together.
void widen(Module& layer, Module& next, std::int64_t width, WidenOptions options = {}, optim::Optimizer* optimizer = nullptr);
void widen(Module& layer, Module& between, Module& next, std::int64_t width, WidenOptions options = {},
           optim::Optimizer* optimizer = nullptr);

// Layers that hand on what comes in, to insert where that keeps the function (Net2DeeperNet): behind a ReLU and with one behind them, or where
// nothing follows that is not linear. `kernel` is odd, and the convolution padded to keep the size.
Linear identity_linear(std::int64_t width);
Conv2d identity_conv2d(std::int64_t channels, std::int64_t kernel = 3);

// Sequential's own, with an optimizer that learns of it: parameters that join start without state (Adam counts their steps from there), those
// that are no longer anywhere in `net` leave, and those that stay keep theirs. Raise IndexError.
void remove(Sequential& net, std::size_t i, optim::Optimizer* optimizer = nullptr);

namespace growth {
// What `net` has and had not, or the other way round, joins and leaves the optimizer. Frozen parameters do not join.
void follow(const std::vector<Tensor>& before, const Sequential& net, optim::Optimizer* optimizer);
}  // namespace growth

template <std::derived_from<Module> M>
[[gnu::noinline]] void insert(Sequential& net, std::size_t i, const M& module, optim::Optimizer* optimizer = nullptr) {
  const SiteScope scope(caller());
  const std::vector<Tensor> before = net.parameters();
  net.insert(i, module);
  growth::follow(before, net, optimizer);
}
template <std::derived_from<Module> M>
[[gnu::noinline]] void replace(Sequential& net, std::size_t i, const M& module, optim::Optimizer* optimizer = nullptr) {
  const SiteScope scope(caller());
  const std::vector<Tensor> before = net.parameters();
  net.replace(i, module);
  growth::follow(before, net, optimizer);
}

}  // namespace swage::nn
