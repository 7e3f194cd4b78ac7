#include <swage/products.hpp>

#include <swage/detail/call.hpp>
#include <swage/detail/composite.hpp>

namespace swage {

namespace {

using detail::require_defined;
using detail::reshape;

DType common_float(CallSite site, const char* op, const Tensor& a, const Tensor& b) {
  const DType dtype = promote(a.dtype(), b.dtype());
  if (!is_float(dtype))
    raise<DTypeError>(SiteScope::or_else(site), "[{}] takes f32 or f64, not {} and {}; convert with to()", op,
                      name_of(a.dtype()), name_of(b.dtype()));
  return dtype;
}

Tensor product(CallSite site, const Tensor& a, const Tensor& b) {
  const DType dtype = common_float(site, "matmul", a, b);
  return detail::call(site, Op::matmul, {detail::cast(site, a, dtype), detail::cast(site, b, dtype)});
}

}  // namespace

namespace {

Dims leading(const Tensor& a) {
  Dims dims;
  for (int d = 0; d < a.dim() - 2; ++d) dims.push_back(a.sizes()[d]);
  return dims;
}

// Batches of matrices, their leading extents broadcast. A batch times one matrix is one product of all rows.
Tensor batched_product(CallSite site, const Tensor& a, const Tensor& b) {
  const std::int64_t rows = a.sizes()[a.dim() - 2], columns = b.sizes()[b.dim() - 1];
  Dims batch;
  if (!broadcast(leading(a), leading(b), batch))
    raise<ShapeError>(SiteScope::or_else(site),
                      "[matmul] batches {} and {} do not broadcast: leading extents must be equal or 1", to_string(a.sizes()),
                      to_string(b.sizes()));
  const auto with = [&](std::int64_t r, std::int64_t c) {
    Dims dims = batch;
    dims.push_back(r);
    dims.push_back(c);
    return dims;
  };
  const std::int64_t inner = a.sizes()[a.dim() - 1];
  if (b.dim() == 2)
    return reshape(site, product(site, reshape(site, a, {batch.product() * rows, inner}), b), with(rows, columns));
  const SiteScope scope(site);
  return product(site, a.expand(with(rows, inner)), b.expand(with(inner, columns)));
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) {
  const CallSite site = caller();
  require_defined(site, "matmul", a, "the left operand");
  require_defined(site, "matmul", b, "the right operand");
  if (a.dim() == 2 && b.dim() == 2) [[likely]]
    return product(site, a, b);
  if (a.dim() < 1 || b.dim() < 1)
    raise<ShapeError>(SiteScope::or_else(site), "[matmul] takes vectors, matrices and batches of matrices, not {} and {}",
                      to_string(a.sizes()), to_string(b.sizes()));
  const std::int64_t inner = a.sizes()[a.dim() - 1];
  const int contracted = b.dim() == 1 ? 0 : b.dim() - 2;
  if (inner != b.sizes()[contracted])
    raise<ShapeError>(SiteScope::or_else(site), "[matmul] cannot multiply {} by {}: the right operand must have {} rows",
                      to_string(a.sizes()), to_string(b.sizes()), inner);
  const Tensor left = a.dim() == 1 ? reshape(site, a, {1, inner}) : a;
  const Tensor right = b.dim() == 1 ? reshape(site, b, {inner, 1}) : b;
  Tensor result = left.dim() == 2 && right.dim() == 2 ? product(site, left, right) : batched_product(site, left, right);
  if (a.dim() > 1 && b.dim() > 1) return result;
  Dims sizes = leading(result);
  if (a.dim() > 1) sizes.push_back(a.sizes()[a.dim() - 2]);
  if (b.dim() > 1) sizes.push_back(b.sizes()[b.dim() - 1]);
  return reshape(site, result, sizes);
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const CallSite site = caller();
  require_defined(site, "linear", x, "the input");
  require_defined(site, "linear", weight, "the weight");
  if (weight.dim() != 2 || x.dim() < 1 || x.sizes()[x.dim() - 1] != weight.sizes()[1])
    raise<ShapeError>(SiteScope::or_else(site), "[linear] an input of shape {} does not fit a weight of shape {}: {}",
                      to_string(x.sizes()), to_string(weight.sizes()),
                      weight.dim() == 2 ? fmt::format("its last extent must be {}", weight.sizes()[1])
                                        : "the weight must be a matrix (out×in)");
  Tensor rows = x;
  if (x.dim() != 2) {
    Dims outer = x.sizes();
    outer[x.dim() - 1] = 1;
    rows = reshape(site, x, {outer.product(), weight.sizes()[1]});
  }
  Tensor result = product(site, rows, detail::permute(site, weight, {1, 0}));
  if (bias.defined()) result = detail::binary(site, Op::add, result, bias);
  if (x.dim() == 2) return result;
  Dims sizes = x.sizes();
  sizes[x.dim() - 1] = weight.sizes()[0];
  return reshape(site, result, sizes);
}

Tensor conv2d(const Tensor& input, const Tensor& weight, const Tensor& bias, Pair stride, Pair padding) {
  const CallSite site = caller();
  require_defined(site, "conv2d", input, "the input");
  require_defined(site, "conv2d", weight, "the weight");
  const DType dtype = common_float(site, "conv2d", input, weight);
  const detail::Attr attr{.ints = {stride.height, stride.width, padding.height, padding.width}, .dtype = DType::f32};
  Tensor result = detail::call(site, Op::conv2d, {detail::cast(site, input, dtype), detail::cast(site, weight, dtype)}, &attr);
  if (!bias.defined()) return result;
  if (bias.dim() != 1 || bias.sizes()[0] != weight.sizes()[0])
    raise<ShapeError>(SiteScope::or_else(site), "[conv2d] the bias must have shape {}, one for each output channel, not {}",
                      weight.sizes()[0], to_string(bias.sizes()));
  return detail::binary(site, Op::add, result, reshape(site, bias, {1, -1, 1, 1}));
}

}  // namespace swage
