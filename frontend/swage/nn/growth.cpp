#include <swage/nn/growth.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include <runtime/core/error.hpp>
#include <runtime/engine/exchange.hpp>
#include <swage/autograd/grad_mode.hpp>
#include <swage/autograd/node.hpp>
#include <swage/batch/collecting.hpp>
#include <swage/creation.hpp>
#include <swage/detail/call.hpp>
#include <swage/index.hpp>
#include <swage/nn/batch_norm.hpp>
#include <swage/nn/init.hpp>
#include <swage/nn/layer_norm.hpp>
#include <swage/pointwise.hpp>
#include <swage/reduce.hpp>

namespace swage::nn {
namespace {

// Units along a dimension of a tensor, each a run of `block` positions of it.
struct Part {
  enum Side : std::uint8_t { makes, takes };  // makes the units, or takes what they give
  enum Start : std::uint8_t { uniform, zero, one };
  const char* name;
  Tensor tensor;
  int d;
  Side side;
  Start start = uniform;
  bool noisy = false;
  std::int64_t block = 1;

  std::int64_t extent() const { return tensor.sizes()[d]; }
};

using Parts = std::vector<Part>;

// Copies of units: from whom each is, and how many that one has.
struct Copies {
  std::int64_t before, after;
  std::vector<std::int64_t> source;
  std::vector<double> count;

  Copies(std::int64_t n, std::int64_t width) : before(n), after(width) {
    for (std::int64_t j = 0; j < width; ++j) source.push_back(j % n);
    std::vector<std::int64_t> each(static_cast<std::size_t>(n));
    for (const std::int64_t j : source) ++each[static_cast<std::size_t>(j)];
    for (const std::int64_t j : source) count.push_back(static_cast<double>(each[static_cast<std::size_t>(j)]));
  }
};

CallSite here() { return SiteScope::or_else({}); }

// A vector along dimension 1 of (outer, n, block).
Tensor along(const Tensor& vector, DType dtype) { return vector.to(dtype).reshape({1, -1, 1}); }

// The tensor as (outer, units, block), and back.
struct Folded {
  Dims folded, unfolded;  // the latter for `width` units
};
Folded fold(const Part& part, const Tensor& tensor, std::int64_t width) {
  const Dims& sizes = tensor.sizes();
  Folded shapes;
  std::int64_t outer = 1, inner = part.block;
  for (int d = 0; d < part.d; ++d) outer *= sizes[d];
  for (int d = part.d + 1; d < sizes.rank(); ++d) inner *= sizes[d];
  shapes.folded = {outer, sizes[part.d] / part.block, inner};
  shapes.unfolded = sizes;
  shapes.unfolded[part.d] = width * part.block;
  return shapes;
}

// `tensor`, of the shape of the part's, with the units copied; what is shared among copies is divided.
Tensor copied(const Part& part, const Tensor& tensor, const Copies& copies, bool divided) {
  const Folded shapes = fold(part, tensor, copies.after);
  const Tensor index = swage::tensor(copies.source, {1, copies.after, 1});
  Tensor units = gather(tensor.reshape(shapes.folded), 1, index.expand({shapes.folded[0], copies.after, shapes.folded[2]}));
  if (divided) units = units / along(swage::tensor(copies.count, {copies.after}), tensor.dtype());
  return units.reshape(shapes.unfolded);
}

// With `more` behind the units there are.
Tensor extended(const Part& part, const Tensor& tensor, const Tensor& more) { return cat({tensor, more}, part.d); }

Dims more_sizes(const Part& part, std::int64_t width) {
  Dims sizes = part.tensor.sizes();
  sizes[part.d] = width * part.block - part.extent();
  return sizes;
}

// Units as a new layer has them. What a layer takes is bounded by how much it takes then.
Tensor started(const Part& part, const Part& weight, std::int64_t width) {
  const Dims sizes = more_sizes(part, width);
  const DType dtype = part.tensor.dtype();
  if (part.start == Part::zero) return zeros(sizes, dtype);
  if (part.start == Part::one) return ones(sizes, dtype);
  std::int64_t fan_in = init::fan_in(weight.tensor);
  if (part.side == Part::takes) fan_in = fan_in / part.tensor.sizes()[1] * width * part.block;
  Tensor units = zeros(sizes, dtype);
  init::uniform_(units, 1 / std::sqrt(static_cast<double>(fan_in)));
  return units;
}

Tensor noise(const Part& part, const Copies& copies, double scale) {
  const Dims sizes = more_sizes(part, copies.after);
  const Tensor size = sqrt(mean(square(part.tensor)));
  return extended(part, zeros_like(part.tensor), randn(sizes, part.tensor.dtype()) * size * scale);
}

// All that a growth writes: computed first, then put in place without anything that could fail.
class Growth {
 public:
  Growth(Parts parts, std::int64_t width, WidenOptions options, optim::Optimizer* optimizer)
      : parts_(std::move(parts)), copies_(parts_.front().extent(), width), options_(options), optimizer_(optimizer) {}

  void check() const {
    for (const Part& part : parts_) {
      if (const char* why = not_exchangeable(*part.tensor.value()))
        raise<ValueError>(here(), "[widen] the {} of shape {} cannot grow: {}", part.name, to_string(part.tensor.sizes()), why);
      const auto same = [&](const Part& other) { return other.tensor.value() == part.tensor.value(); };
      if (std::ranges::count_if(parts_, same) > 1)
        raise<ValueError>(here(), "[widen] the {} of shape {} occurs twice among what would grow", part.name,
                          to_string(part.tensor.sizes()));
    }
  }

  void compute() {
    const NoGradGuard no_grad;
    for (const Part& part : parts_) {
      replace_parameter(part);
      const bool takes = part.side == Part::takes;
      if (const Tensor gradient = part.tensor.grad(); gradient.defined())
        gradients_.push_back({part.tensor, owned(changed(part, gradient, !takes))});
      if (!optimizer_) continue;
      const std::span<Tensor> slots = optimizer_->slots_of(part.tensor);
      for (std::size_t k = 0; k < slots.size(); ++k)
        if (slots[k].defined())
          slots_.push_back({&slots[k], owned(changed(part, slots[k], takes && !optimizer_->is_scale(k)))});
    }
    detail::stream().cut(CutReason::scope, here());
  }

  void commit() noexcept {
    for (const auto& [tensor, grown] : parameters_) exchange_storage(*tensor.value(), *grown.value());
    for (const auto& [tensor, gradient] : gradients_) autograd::meta_of(tensor.value())->grad = gradient.ref();
    for (auto& [slot, grown] : slots_) *slot = grown;
  }

 private:
  // What is not a parameter: where units start anew, it starts at zero.
  Tensor changed(const Part& part, const Tensor& tensor, bool divided) const {
    if (options_.preserve) return copied(part, tensor, copies_, divided);
    return extended(part, tensor, zeros(more_sizes(part, copies_.after), tensor.dtype()));
  }

  void replace_parameter(const Part& part) {
    Tensor grown;
    if (options_.preserve) {
      grown = copied(part, part.tensor, copies_, part.side == Part::takes);
      if (part.noisy && options_.noise > 0) grown = grown + noise(part, copies_, options_.noise);
    } else {
      const Part& weight = part.side == Part::takes ? part : parts_.front();
      grown = extended(part, part.tensor, started(part, weight, copies_.after));
    }
    parameters_.push_back({part.tensor, owned(grown)});
  }

  static Tensor owned(const Tensor& tensor) { return tensor.clone(); }

  Parts parts_;
  Copies copies_;
  WidenOptions options_;
  optim::Optimizer* optimizer_;
  std::vector<std::pair<Tensor, Tensor>> parameters_, gradients_;
  std::vector<std::pair<Tensor*, Tensor>> slots_;
};

struct Weights {
  Tensor weight, bias;
  bool convolution;
};
Weights weights_of(const Module& module, const char* which) {
  if (const auto* layer = dynamic_cast<const Linear*>(&module)) return {layer->weight, layer->bias, false};
  if (const auto* layer = dynamic_cast<const Conv2d*>(&module)) return {layer->weight, layer->bias, true};
  raise<ValueError>(here(), "[widen] {} must be a Linear or a Conv2d", which);
}

void add_makers(Parts& parts, const Weights& layer) {
  parts.push_back({.name = "weight", .tensor = layer.weight, .d = 0, .side = Part::makes, .noisy = true});
  if (layer.bias.defined()) parts.push_back({.name = "bias", .tensor = layer.bias, .d = 0, .side = Part::makes});
}

void add_between(Parts& parts, const Module& between, std::int64_t units, std::int64_t width, bool preserve) {
  const auto add = [&](const char* name, const Tensor& tensor, Part::Start start) {
    if (tensor.numel() != units || tensor.dim() != 1)
      raise<ShapeError>(here(), "[widen] the {} between has shape {}, but the layer has {} outputs", name,
                        to_string(tensor.sizes()), units);
    parts.push_back({.name = name, .tensor = tensor, .d = 0, .side = Part::makes, .start = start});
  };
  if (const auto* norm = dynamic_cast<const BatchNorm2d*>(&between)) {
    add("batch norm's weight", norm->weight, Part::one);
    add("batch norm's bias", norm->bias, Part::zero);
    add("running mean", norm->running_mean, Part::zero);
    add("running variance", norm->running_var, Part::one);
  } else if (const auto* norm = dynamic_cast<const LayerNorm*>(&between); norm && norm->weight.defined()) {
    if (preserve && width % units != 0)
      raise<ValueError>(
          here(),
          "[widen] a LayerNorm between keeps the function only where all units have as many copies: the width must "
          "be a multiple of {}, not {}",
          units, width);
    add("layer norm's weight", norm->weight, Part::one);
    add("layer norm's bias", norm->bias, Part::zero);
  } else {
    raise<ValueError>(here(), "[widen] between the two must be a BatchNorm2d, or a LayerNorm with weights");
  }
}

void add_takers(Parts& parts, const Weights& layer, const Weights& next) {
  const std::int64_t units = layer.weight.sizes()[0], taken = next.weight.sizes()[1];
  const bool flattened = layer.convolution && !next.convolution;
  if (next.convolution && !layer.convolution)
    raise<ValueError>(here(), "[widen] a Conv2d behind a Linear: which unit becomes which channel is not known");
  if (flattened ? taken == 0 || taken % units != 0 : taken != units)
    raise<ShapeError>(here(), "[widen] the layer has {} outputs, but the next takes {} inputs: {}", units, taken,
                      flattened ? "it must take as many columns of each channel" : "they must be as many");
  parts.push_back({.name = "next weight", .tensor = next.weight, .d = 1, .side = Part::takes, .block = taken / units});
}

void widen(const Module& layer, const Module* between, const Module& next, std::int64_t width, WidenOptions options,
           optim::Optimizer* optimizer) {
  const Weights from = weights_of(layer, "the layer"), to = weights_of(next, "the next layer");
  const std::int64_t units = from.weight.sizes()[0];
  if (width <= units) raise<ValueError>(here(), "[widen] from {} to {}: the width must be larger", units, width);
  if (!(options.noise >= 0) || std::isinf(options.noise))
    raise<ValueError>(here(), "[widen] the noise must be 0 or more, not {}", options.noise);
  Parts parts;
  add_makers(parts, from);
  if (between) add_between(parts, *between, units, width, options.preserve);
  add_takers(parts, from, to);

  const grouping::Pause pause;
  detail::stream().cut(CutReason::scope, here());
  Growth growth(std::move(parts), width, options, optimizer);
  growth.check();
  growth.compute();
  growth.commit();
}

}  // namespace

void widen(Module& layer, Module& next, std::int64_t width, WidenOptions options, optim::Optimizer* optimizer) {
  const SiteScope scope(caller());
  widen(layer, nullptr, next, width, options, optimizer);
}
void widen(Module& layer, Module& between, Module& next, std::int64_t width, WidenOptions options,
           optim::Optimizer* optimizer) {
  const SiteScope scope(caller());
  widen(layer, &between, next, width, options, optimizer);
}

Linear identity_linear(std::int64_t width) {
  const SiteScope scope(caller());
  Linear layer(width, width);
  init::identity_(layer.weight);
  no_grad([&] { layer.bias.zero_(); });
  return layer;
}

Conv2d identity_conv2d(std::int64_t channels, std::int64_t kernel) {
  const SiteScope scope(caller());
  Conv2d layer(channels, channels, kernel, {.padding = kernel / 2});
  init::identity_(layer.weight);
  no_grad([&] { layer.bias.zero_(); });
  return layer;
}

void remove(Sequential& net, std::size_t i, optim::Optimizer* optimizer) {
  const SiteScope scope(caller());
  const std::vector<Tensor> before = net.parameters();
  net.remove(i);
  growth::follow(before, net, optimizer);
}

void growth::follow(const std::vector<Tensor>& before, const Sequential& net, optim::Optimizer* optimizer) {
  if (!optimizer) return;
  const std::vector<Tensor> after = net.parameters();
  const auto among = [](const std::vector<Tensor>& all, const Tensor& one) {
    return std::ranges::any_of(all, [&](const Tensor& each) { return each.value() == one.value(); });
  };
  std::vector<Tensor> joining, leaving;
  for (const Tensor& one : after)
    if (!among(before, one) && !among(joining, one) && !optimizer->has(one) && one.requires_grad()) joining.push_back(one);
  for (const Tensor& one : before)
    if (!among(after, one) && optimizer->has(one)) leaving.push_back(one);
  optimizer->remove_parameters(leaving);
  optimizer->add_parameters(joining);
}

}  // namespace swage::nn
