#include <swage/index.hpp>

#include <swage/autograd/grad_mode.hpp>
#include <swage/autograd/node.hpp>
#include <swage/batch/collecting.hpp>
#include <swage/detail/call.hpp>
#include <swage/detail/composite.hpp>

namespace swage {

using detail::require_defined;
using detail::wrap_dim;

namespace {

// Parts written side by side into one tensor: the gradient of each is its slice.
struct PartsGradient final : autograd::CustomGradient {
  int d = 0;
  std::vector<std::int64_t> starts, lengths;
  Tensor gradient(const Tensor& grad_output, std::size_t operand) override {
    return detail::narrow({}, grad_output, d, starts[operand], lengths[operand]);
  }
  bool repeats() const override { return true; }
};

// zeros(sizes) with the parts written one after the other along `d`, from `start` on.
Tensor assemble(CallSite site, const char* name, std::span<const Tensor> parts, const Dims& sizes, int d, std::int64_t start,
                DType dtype) {
  auto custom = std::make_unique<PartsGradient>();
  custom->name = name;
  custom->d = d;
  bool wanted = false;
  Tensor result;
  {
    NoGradGuard no_grad;
    result = detail::full(site, sizes, Scalar::literal(0.0), dtype);
    for (const Tensor& part : parts) {
      const std::int64_t length = part.sizes()[d];
      custom->starts.push_back(start);
      custom->lengths.push_back(length);
      custom->edges.push_back(autograd::edge_to(part.value()));
      wanted |= custom->edges.back().wanted();
      if (part.numel()) {
        detail::call_in_place(site, Op::assign, {detail::narrow(site, result, d, start, length), part});
      }
      start += length;
    }
  }
  if (wanted && GradMode::enabled()) {
    autograd::NodeRef node = autograd::new_node();
    node->site = SiteScope::or_else(site);
    node->custom = std::move(custom);
    autograd::attach(*result.value(), std::move(node));
  }
  return result;
}

}  // namespace

Tensor detail::embed(CallSite site, const Tensor& part, const Dims& sizes, int d, std::int64_t start) {
  return assemble(site, "narrow", {&part, 1}, sizes, d, start, part.dtype());
}

Tensor cat(const std::vector<Tensor>& tensors, int d) {
  const CallSite site = caller();
  if (tensors.empty()) raise<ValueError>(SiteScope::or_else(site), "[cat] needs at least one tensor");
  for (const Tensor& tensor : tensors) require_defined(site, "cat", tensor);
  const Tensor& first = tensors.front();
  const int at = wrap_dim(site, "cat", d, first.dim());
  if (first.dim() == 0) raise<ShapeError>(SiteScope::or_else(site), "[cat] cannot join 0-dimensional tensors; use stack");
  DType dtype = first.dtype();
  Dims sizes = first.sizes();
  sizes[at] = 0;
  for (const Tensor& tensor : tensors) {
    bool fits = tensor.dim() == first.dim();
    for (int k = 0; fits && k < first.dim(); ++k) fits = k == at || tensor.sizes()[k] == first.sizes()[k];
    if (!fits)
      raise<ShapeError>(SiteScope::or_else(site),
                        "[cat] shapes {} and {} cannot be joined along dimension {}: all other extents "
                        "must be equal",
                        to_string(first.sizes()), to_string(tensor.sizes()), at);
    sizes[at] += tensor.sizes()[at];
    dtype = promote(dtype, tensor.dtype());
  }
  std::vector<Tensor> parts;
  parts.reserve(tensors.size());
  for (const Tensor& tensor : tensors) parts.push_back(detail::cast(site, tensor, dtype));
  if (grouping::Collecting* const scope = grouping::collecting())
    return scope->composite(grouping::Composite::cat, detail::attribute_id({at}, DType::f32, 0), parts, intern(dtype, sizes),
                            SiteScope::or_else(site));
  return assemble(site, "cat", parts, sizes, at, 0, dtype);
}

Tensor stack(const std::vector<Tensor>& tensors, int d) {
  const SiteScope scope(caller());
  if (tensors.empty()) raise<ValueError>(SiteScope::or_else({}), "[stack] needs at least one tensor");
  std::vector<Tensor> rows;
  rows.reserve(tensors.size());
  for (const Tensor& tensor : tensors) {
    require_defined({}, "stack", tensor);
    if (!(tensor.sizes() == tensors.front().sizes()))
      raise<ShapeError>(SiteScope::or_else({}), "[stack] all shapes must be equal, not {} and {}",
                        to_string(tensors.front().sizes()), to_string(tensor.sizes()));
    rows.push_back(tensor.unsqueeze(d));
  }
  return cat(rows, wrap_dim({}, "stack", d, tensors.front().dim() + 1));
}

Tensor gather(const Tensor& a, int d, const Tensor& index) {
  const CallSite site = caller();
  require_defined(site, "gather", a);
  require_defined(site, "gather", index, "the index");
  const detail::Attr attr{.ints = {wrap_dim(site, "gather", d, a.dim())}, .dtype = DType::f32};
  return detail::call(site, Op::gather, {a, index}, &attr);
}

Tensor scatter_add(const Tensor& a, int d, const Tensor& index, const Tensor& source) {
  const CallSite site = caller();
  require_defined(site, "scatter_add", a);
  require_defined(site, "scatter_add", index, "the index");
  require_defined(site, "scatter_add", source, "the source");
  const detail::Attr attr{.ints = {wrap_dim(site, "scatter_add", d, a.dim())}, .dtype = DType::f32};
  return detail::call(site, Op::scatter_add, {a, index, source}, &attr);
}

Tensor detail::scatter_add_in_place(CallSite site, const Tensor& target, int d, const Tensor& index, const Tensor& source) {
  const Attr attr{.ints = {d}, .dtype = DType::f32};
  return call_in_place(site, Op::scatter_add, {target, index, source}, &attr);
}

Tensor Tensor::scatter_add_(int d, const Tensor& index, const Tensor& source) const {
  const CallSite site = caller();
  require_defined(site, "scatter_add", *this, "the tensor to write");
  require_defined(site, "scatter_add", index, "the index");
  require_defined(site, "scatter_add", source, "the source");
  return detail::scatter_add_in_place(site, *this, wrap_dim(site, "scatter_add", d, dim()), index, source);
}

Tensor one_hot(const Tensor& index, std::int64_t classes, DType dtype) {
  const SiteScope scope(caller());
  require_defined({}, "one_hot", index);
  if (index.dtype() != DType::i64)
    raise<DTypeError>(SiteScope::or_else({}), "[one_hot] takes i64, not {}", name_of(index.dtype()));
  const Tensor ramp = detail::iota({}, {classes}, 0, DType::i64);
  return detail::cast({}, detail::binary({}, Op::eq, index.unsqueeze(-1), ramp), dtype);
}

}  // namespace swage
