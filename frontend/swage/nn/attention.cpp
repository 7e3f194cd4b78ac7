#include <swage/nn/attention.hpp>

#include <cmath>

#include <runtime/core/error.hpp>
#include <swage/autograd/grad_mode.hpp>
#include <swage/creation.hpp>
#include <swage/functional.hpp>
#include <swage/nn/init.hpp>
#include <swage/products.hpp>

namespace swage::nn {

MultiheadAttention::MultiheadAttention(std::int64_t width, std::int64_t heads, MultiheadAttentionOptions chosen)
    : Module(Library{}),
      in_proj_weight(zeros({3 * width, width})),
      out_proj(width, width, chosen.bias),
      options(chosen),
      width_(width),
      heads_(heads) {
  if (heads < 1 || width < 1 || width % heads != 0)
    raise<ValueError>(SiteScope::or_else(caller()), "[MultiheadAttention] a width of {} does not divide into {} heads", width,
                      heads);
  init::uniform_(in_proj_weight, std::sqrt(6.0 / static_cast<double>(4 * width)));
  register_parameter("in_proj_weight", in_proj_weight);
  if (options.bias) {
    in_proj_bias = register_parameter("in_proj_bias", zeros({3 * width}));
    no_grad([&] { out_proj.bias.zero_(); });
  }
  register_module("out_proj", out_proj);
}

Tensor MultiheadAttention::split(const Tensor& x) const {
  return x.reshape({x.size(0), x.size(1), heads_, width_ / heads_}).permute({0, 2, 1, 3});
}

Tensor MultiheadAttention::mixed(const Tensor& query, const Tensor& key, const Tensor& value) {
  const Tensor q = split(query), k = split(key), v = split(value);  // in this order, whatever the compiler
  const Tensor heads = scaled_dot_product_attention(
      q, k, v, {.mask = {}, .is_causal = options.is_causal, .dropout = training() ? options.dropout : 0});
  return out_proj(heads.permute({0, 2, 1, 3}).reshape({query.size(0), query.size(1), width_}));
}

// One product makes all three projections.
Tensor MultiheadAttention::forward(const Tensor& x) {
  if (x.dim() != 3 || x.sizes()[2] != width_)
    raise<ShapeError>(SiteScope::or_else({}), "[MultiheadAttention] takes (N,L,{}), not {}", width_, to_string(x.sizes()));
  const Tensor all = linear(x, in_proj_weight, in_proj_bias);
  return mixed(all.narrow(2, 0, width_), all.narrow(2, width_, width_), all.narrow(2, 2 * width_, width_));
}

Tensor MultiheadAttention::operator()(const Tensor& query, const Tensor& key, const Tensor& value) {
  const SiteScope scope(caller());
  for (const Tensor* each : {&query, &key, &value})
    if (each->dim() != 3 || each->sizes()[2] != width_ || each->sizes()[0] != query.sizes()[0] ||
        (each != &query && each->sizes()[1] != key.sizes()[1]))
      raise<ShapeError>(SiteScope::or_else({}),
                        "[MultiheadAttention] takes (N,L,{0}), (N,S,{0}) and (N,S,{0}), not {1}, {2} and {3}", width_,
                        to_string(query.sizes()), to_string(key.sizes()), to_string(value.sizes()));
  const auto projected = [&](const Tensor& x, std::int64_t k) {
    const Tensor bias = in_proj_bias.defined() ? in_proj_bias.narrow(0, k * width_, width_) : Tensor();
    return linear(x, in_proj_weight.narrow(0, k * width_, width_), bias);
  };
  return mixed(projected(query, 0), projected(key, 1), projected(value, 2));
}

}  // namespace swage::nn
