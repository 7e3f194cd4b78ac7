#include <swage/reduce.hpp>

#include <swage/batch/collecting.hpp>
#include <swage/detail/call.hpp>
#include <swage/detail/composite.hpp>
#include <swage/index.hpp>

namespace swage {

using detail::all_dims;
using detail::mean;
using detail::reduce;

Tensor sum(const Tensor& a) { return reduce(caller(), Op::sum, a, all_dims(a), false); }
Tensor sum(const Tensor& a, int d, bool keepdim) { return reduce(caller(), Op::sum, a, {d}, keepdim); }
Tensor sum(const Tensor& a, const Dims& dims, bool keepdim) { return reduce(caller(), Op::sum, a, dims, keepdim); }
Tensor sum_of(const std::vector<Tensor>& tensors) {
  const SiteScope scope(caller());
  if (tensors.empty()) raise<ValueError>(SiteScope::or_else({}), "[sum_of] needs at least one tensor");
  for (const Tensor& tensor : tensors) {
    detail::require_defined({}, "sum_of", tensor);
    if (!(tensor.sizes() == tensors.front().sizes()) || tensor.dtype() != tensors.front().dtype())
      raise<ShapeError>(SiteScope::or_else({}), "[sum_of] all tensors must be alike, not {} of shape {} and {} of shape {}",
                        name_of(tensors.front().dtype()), to_string(tensors.front().sizes()), name_of(tensor.dtype()),
                        to_string(tensor.sizes()));
  }
  if (tensors.size() == 1) return tensors.front();
  grouping::Collecting* const scope_of_batch = grouping::collecting();
  if (!scope_of_batch || scope_of_batch->in_body()) return sum(stack(tensors, 0), 0);
  const DType dtype = tensors.front().dtype() == DType::boolean ? DType::i64 : tensors.front().dtype();
  return scope_of_batch->composite(grouping::Composite::sum_of, 0, tensors, intern(dtype, tensors.front().sizes()),
                                   SiteScope::or_else({}));
}
Tensor mean(const Tensor& a) { return mean(caller(), a, all_dims(a), false); }
Tensor mean(const Tensor& a, int d, bool keepdim) { return mean(caller(), a, {d}, keepdim); }
Tensor mean(const Tensor& a, const Dims& dims, bool keepdim) { return mean(caller(), a, dims, keepdim); }
Tensor amax(const Tensor& a) { return reduce(caller(), Op::amax, a, all_dims(a), false); }
Tensor amax(const Tensor& a, int d, bool keepdim) { return reduce(caller(), Op::amax, a, {d}, keepdim); }
Tensor amax(const Tensor& a, const Dims& dims, bool keepdim) { return reduce(caller(), Op::amax, a, dims, keepdim); }
Tensor amin(const Tensor& a) { return reduce(caller(), Op::amin, a, all_dims(a), false); }
Tensor amin(const Tensor& a, int d, bool keepdim) { return reduce(caller(), Op::amin, a, {d}, keepdim); }
Tensor amin(const Tensor& a, const Dims& dims, bool keepdim) { return reduce(caller(), Op::amin, a, dims, keepdim); }

Tensor argmax(const Tensor& a) {
  const SiteScope scope(caller());
  detail::require_defined({}, "argmax", a);
  return reduce({}, Op::argmax, a.reshape({a.numel()}), {0}, false);
}
Tensor argmax(const Tensor& a, int d, bool keepdim) { return reduce(caller(), Op::argmax, a, {d}, keepdim); }

namespace {

Tensor variance(CallSite site, const Tensor& a, const Dims& dims, int correction, bool keepdim) {
  const SiteScope scope(site);
  detail::require_defined(site, "var", a);
  if (!is_float(a.dtype()))
    raise<DTypeError>(SiteScope::or_else(site), "[var] takes f32 or f64, not {}; convert with to() first", name_of(a.dtype()));
  const Tensor centre = mean(site, a, dims, true);
  const Tensor squares = detail::unary(site, Op::square, detail::binary(site, Op::sub, a, centre));
  const Tensor total = reduce(site, Op::sum, squares, dims, keepdim);
  const std::int64_t n = total.numel() ? a.numel() / total.numel() : 0;
  return detail::binary(site, Op::mul, total, Scalar::literal(1.0 / static_cast<double>(n - correction)));
}

}  // namespace

Tensor var(const Tensor& a, int correction) { return variance(caller(), a, all_dims(a), correction, false); }
Tensor var(const Tensor& a, const Dims& dims, int correction, bool keepdim) {
  return variance(caller(), a, dims, correction, keepdim);
}

namespace detail {

Dims all_dims(const Tensor& a) {
  Dims dims;
  if (a.defined())
    for (int d = 0; d < a.dim(); ++d) dims.push_back(d);
  return dims;
}

Tensor reduce(CallSite site, Op op, const Tensor& a, const Dims& dims, bool keepdim) {
  require_defined(site, name_of(op), a);
  const int rank = a.dim();
  std::uint32_t set = 0;
  for (std::int64_t d : dims) {
    const std::uint32_t bit = 1u << wrap_dim(site, name_of(op), d, rank);
    if (set & bit) raise<ValueError>(SiteScope::or_else(site), "[{}] dimension {} is listed twice", name_of(op), d);
    set |= bit;
  }
  Tensor input = a;
  if (a.dtype() == DType::boolean) input = cast(site, a, DType::i64);
  if (rank == 0) {
    // One element: a row of one.
    const Attr to_row{.ints = {1}, .dtype = DType::f32}, over{.ints = {0, 0}, .dtype = DType::f32};
    return call(site, op, {call(site, Op::reshape, {input}, &to_row)}, &over);
  }
  Attr attr{.ints = {keepdim ? 1 : 0}, .dtype = DType::f32};
  for (int d = 0; d < rank; ++d)
    if (set >> d & 1) attr.ints.push_back(d);
  return call(site, op, {input}, &attr);
}

Tensor mean(CallSite site, const Tensor& a, const Dims& dims, bool keepdim) {
  require_defined(site, "mean", a);
  if (!is_float(a.dtype()))
    raise<DTypeError>(SiteScope::or_else(site), "[mean] takes f32 or f64, not {}; convert with to() first", name_of(a.dtype()));
  const Tensor total = reduce(site, Op::sum, a, dims, keepdim);
  std::int64_t n = 1;
  for (std::int64_t d : dims) n *= a.dim() ? a.sizes()[wrap_dim(site, "mean", d, a.dim())] : 1;
  return binary(site, Op::mul, total, Scalar::literal(1.0 / static_cast<double>(n)));
}

}  // namespace detail

}  // namespace swage
