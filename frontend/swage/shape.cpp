// The views: members of Tensor that give another descriptor on the same storage.
#include <algorithm>

#include <runtime/ops/inference.hpp>
#include <swage/detail/call.hpp>
#include <swage/detail/composite.hpp>
#include <swage/tensor.hpp>

namespace swage {

namespace detail {

namespace {

Tensor expected_narrow(CallSite site, const Tensor& a, int d, std::int64_t start, std::int64_t length) {
  const std::int64_t ints[] = {d, length};
  return expected_view(site, Op::narrow, a, ints, start);
}

}  // namespace

Tensor permute(CallSite site, const Tensor& a, const Dims& order) {
  if (Tensor view = expected_view(site, Op::permute, a, order.span()); view.defined()) return view;
  const Attr attr{.ints = Ints(order), .dtype = DType::f32};
  return call(site, Op::permute, {a}, &attr);
}

namespace {

// Fills in an extent of −1.
Dims completed(CallSite site, const char* op, const Tensor& a, const Dims& sizes) {
  Dims result = sizes;
  int open = -1;
  std::int64_t known = 1;
  for (int d = 0; d < sizes.rank(); ++d) {
    if (sizes[d] == -1) {
      if (open >= 0) raise<ShapeError>(SiteScope::or_else(site), "[{}] at most one extent may be -1: {}", op, to_string(sizes));
      open = d;
    } else {
      known *= sizes[d];
    }
  }
  if (open >= 0) {
    if (known == 0 || a.numel() % known != 0)
      raise<ShapeError>(SiteScope::or_else(site), "[{}] the {} elements of shape {} do not divide into rows of {}", op,
                        a.numel(), to_string(a.sizes()), known);
    result[open] = a.numel() / known;
  }
  if (result.product() != a.numel() || std::any_of(result.begin(), result.end(), [](auto extent) { return extent < 0; }))
    raise<ShapeError>(SiteScope::or_else(site), "[{}] shape {} has {} elements, which is not what shape {} has", op,
                      to_string(a.sizes()), a.numel(), to_string(sizes));
  return result;
}

}  // namespace

Tensor reshape(CallSite site, const Tensor& a, const Dims& sizes) {
  require_defined(site, "reshape", a);
  if (sizes == a.sizes()) return a;
  if (Tensor view = expected_view(site, Op::reshape, a, sizes.span()); view.defined()) return view;
  const Dims target = completed(site, "reshape", a, sizes);
  if (target == a.sizes()) return a;
  Dims strides;
  Tensor source = a;
  if (!a.is_contiguous() && !reshape_strides(a.value()->view(), target, strides)) source = call(site, Op::copy, {a});
  const Attr attr{.ints = Ints(target), .dtype = DType::f32};
  return call(site, Op::reshape, {source}, &attr);
}

Tensor narrow(CallSite site, const Tensor& a, int d, std::int64_t start, std::int64_t length) {
  if (Tensor view = expected_narrow(site, a, d, start, length); view.defined()) return view;
  const Attr attr{.ints = {d, length}, .dtype = DType::f32};
  return call(site, Op::narrow, {a}, &attr, start);
}

}  // namespace detail

using detail::Attr;
using detail::call;
using detail::require_defined;
using detail::wrap_dim;

Tensor Tensor::t() const {
  const CallSite site = caller();
  static constexpr std::int64_t kSwapped[] = {1, 0};
  if (Tensor view = detail::expected_view(site, Op::permute, *this, kSwapped); view.defined()) return view;
  require_defined(site, "t", *this);
  if (dim() > 2)
    raise<ShapeError>(SiteScope::or_else(site), "[t] takes at most 2 dimensions, not shape {}; use transpose or permute",
                      to_string(sizes()));
  if (dim() < 2) return *this;
  return detail::permute(site, *this, {1, 0});
}

Tensor Tensor::transpose(int a, int b) const {
  const CallSite site = caller();
  require_defined(site, "transpose", *this);
  const int first = wrap_dim(site, "transpose", a, dim()), second = wrap_dim(site, "transpose", b, dim());
  if (first == second) return *this;
  Dims order;
  for (int d = 0; d < dim(); ++d) order.push_back(d);
  std::swap(order[first], order[second]);
  return detail::permute(site, *this, order);
}

Tensor Tensor::permute(const Dims& order) const {
  const CallSite site = caller();
  require_defined(site, "permute", *this);
  Dims wrapped;
  for (std::int64_t d : order) wrapped.push_back(wrap_dim(site, "permute", d, dim()));
  return detail::permute(site, *this, wrapped);
}

Tensor Tensor::reshape(const Dims& sizes) const { return detail::reshape(caller(), *this, sizes); }

Tensor Tensor::view(const Dims& sizes) const {
  const CallSite site = caller();
  require_defined(site, "view", *this);
  const Attr attr{.ints = detail::Ints(detail::completed(site, "view", *this, sizes)), .dtype = DType::f32};
  return call(site, Op::reshape, {*this}, &attr);
}

Tensor Tensor::flatten(int first, int last) const {
  const CallSite site = caller();
  require_defined(site, "flatten", *this);
  const int from = wrap_dim(site, "flatten", first, dim()), to = wrap_dim(site, "flatten", last, dim());
  if (from > to)
    raise<ValueError>(SiteScope::or_else(site), "[flatten] the first dimension, {}, lies behind the last, {}", from, to);
  if (dim() == 0) return detail::reshape(site, *this, {1});
  Dims target;
  std::int64_t product = 1;
  for (int d = 0; d < dim(); ++d) {
    if (d < from || d > to) {
      target.push_back(sizes()[d]);
      continue;
    }
    product *= sizes()[d];
    if (d == to) target.push_back(product);
  }
  return detail::reshape(site, *this, target);
}

namespace {

void require_rank(CallSite site, const char* op, const Tensor& a) {
  require_defined(site, op, a);
  if (a.dim() == 0)
    raise<IndexError>(SiteScope::or_else(site), "[{}] a 0-dimensional tensor has no elements to choose from; use item()", op);
}

Tensor selected(CallSite site, const Tensor& a, int d, std::int64_t index) {
  const std::int64_t extent = a.sizes()[d];
  if (index < -extent || index >= extent)
    raise<IndexError>(SiteScope::or_else(site), "[select] index {} is out of range for dimension {} of shape {}: {} to {}",
                      index, d, to_string(a.sizes()), -extent, extent - 1);
  const Tensor row = detail::narrow(site, a, d, index < 0 ? index + extent : index, 1);
  Dims rest;
  for (int k = 0; k < a.dim(); ++k)
    if (k != d) rest.push_back(a.sizes()[k]);
  if (Tensor view = detail::expected_view(site, Op::reshape, row, rest.span()); view.defined()) return view;
  const Attr attr{.ints = detail::Ints(rest), .dtype = DType::f32};
  return call(site, Op::reshape, {row}, &attr);
}

}  // namespace

Tensor Tensor::narrow(int d, std::int64_t start, std::int64_t length) const {
  const CallSite site = caller();
  if (Tensor view = detail::expected_narrow(site, *this, d, start, length); view.defined()) return view;
  require_rank(site, "narrow", *this);
  const int wrapped = wrap_dim(site, "narrow", d, dim());
  const std::int64_t extent = sizes()[wrapped];
  if (length < 0 || start < 0 || length > extent || start > extent - length)
    raise<IndexError>(SiteScope::or_else(site),
                      "[narrow] {} elements from {} do not lie within dimension {} of shape {}: it has {}", length, start,
                      wrapped, to_string(sizes()), extent);
  return detail::narrow(site, *this, wrapped, start, length);
}

Tensor Tensor::select(int d, std::int64_t index) const {
  const CallSite site = caller();
  require_rank(site, "select", *this);
  return selected(site, *this, wrap_dim(site, "select", d, dim()), index);
}

Tensor Tensor::operator[](std::int64_t index) const {
  const CallSite site = caller();
  require_rank(site, "select", *this);
  return selected(site, *this, 0, index);
}

Tensor Tensor::slice(int d, std::int64_t start, std::int64_t end) const {
  const CallSite site = caller();
  require_rank(site, "slice", *this);
  const int wrapped = wrap_dim(site, "slice", d, dim());
  const std::int64_t extent = sizes()[wrapped];
  const auto clamped = [&](std::int64_t i) { return std::clamp<std::int64_t>(i < 0 ? i + extent : i, 0, extent); };
  const std::int64_t from = clamped(start), to = std::max(from, clamped(end));
  return detail::narrow(site, *this, wrapped, from, to - from);
}

Tensor Tensor::expand(const Dims& sizes) const {
  const CallSite site = caller();
  require_defined(site, "expand", *this);
  Dims target = sizes;
  const int leading = sizes.rank() - dim();
  for (int d = 0; d < sizes.rank(); ++d)
    if (target[d] == -1 && d >= leading) target[d] = this->sizes()[d - leading];
  if (target == this->sizes()) return *this;
  if (Tensor view = detail::expected_view(site, Op::expand, *this, target.span()); view.defined()) return view;
  const Attr attr{.ints = detail::Ints(target), .dtype = DType::f32};
  return call(site, Op::expand, {*this}, &attr);
}

Tensor Tensor::expand_as(const Tensor& other) const {
  const SiteScope scope(caller());
  require_defined({}, "expand_as", *this);
  require_defined({}, "expand_as", other);
  return expand(other.sizes());
}

Tensor Tensor::unsqueeze(int d) const {
  const CallSite site = caller();
  require_defined(site, "unsqueeze", *this);
  const int at = wrap_dim(site, "unsqueeze", d, dim() + 1);
  if (dim() == kMaxRank)
    raise<ShapeError>(SiteScope::or_else(site), "[unsqueeze] shape {} has {} dimensions already, the most there are",
                      to_string(sizes()), kMaxRank);
  Dims target;
  for (int k = 0; k <= dim(); ++k) {
    if (k == at) target.push_back(1);
    if (k < dim()) target.push_back(sizes()[k]);
  }
  const Attr attr{.ints = detail::Ints(target), .dtype = DType::f32};
  return call(site, Op::reshape, {*this}, &attr);
}

Tensor Tensor::squeeze() const {
  const CallSite site = caller();
  require_defined(site, "squeeze", *this);
  Dims target;
  for (std::int64_t extent : sizes())
    if (extent != 1) target.push_back(extent);
  return detail::reshape(site, *this, target);
}

Tensor Tensor::squeeze(int d) const {
  const CallSite site = caller();
  require_defined(site, "squeeze", *this);
  const int at = wrap_dim(site, "squeeze", d, dim());
  if (dim() == 0 || sizes()[at] != 1) return *this;
  Dims target;
  for (int k = 0; k < dim(); ++k)
    if (k != at) target.push_back(sizes()[k]);
  return detail::reshape(site, *this, target);
}

}  // namespace swage
