#include <swage/autograd/row_gradients.hpp>

#include <unordered_map>

#include <runtime/core/error.hpp>
#include <swage/autograd/grad_mode.hpp>
#include <swage/creation.hpp>
#include <swage/detail/call.hpp>
#include <swage/detail/composite.hpp>
#include <swage/detail/strided.hpp>
#include <swage/index.hpp>

namespace swage::autograd {
namespace {

RowGradients* rows_of(const Tensor& table) { return table.value()->autograd ? meta_of(table.value())->rows.get() : nullptr; }

}  // namespace

void keep_rows(const Tensor& table) {
  if (table.dim() != 2 || !table.requires_grad() || !table.is_leaf())
    raise<ValueError>(SiteScope::or_else({}), "[keep_rows] takes a matrix that is a leaf and requires a gradient, not shape {}",
                      to_string(table.sizes()));
  GradMeta& meta = ensure_meta(*table.value());
  if (!meta.rows) meta.rows = std::make_unique<RowGradients>();
}

bool keeps_rows(const Tensor& table) { return rows_of(table) != nullptr; }
bool has_rows(const Tensor& table) {
  const RowGradients* const rows = rows_of(table);
  return rows && !rows->parts.empty();
}
void drop_rows(const Tensor& table) {
  if (RowGradients* const rows = rows_of(table)) rows->parts.clear();
}
void add_rows(const Tensor& table, const Tensor& index, const Tensor& values) {
  rows_of(table)->parts.push_back({index, values});
}

SummedRows summed_rows(const Tensor& table) {
  const NoGradGuard no_grad;
  const RowGradients& rows = *rows_of(table);
  std::vector<std::int64_t> used, places;  // rows; for each entry of the parts, which of them
  std::unordered_map<std::int64_t, std::int64_t> place;
  for (const RowGradients::Part& part : rows.parts) {
    detail::stream().read(*part.index.value(), SiteScope::or_else({}));
    const auto* data = static_cast<const std::int64_t*>(part.index.value()->address());
    detail::for_each_offset(part.index.value()->view(), [&](std::int64_t offset) {
      const auto [entry, added] = place.try_emplace(data[offset], static_cast<std::int64_t>(used.size()));
      if (added) used.push_back(data[offset]);
      places.push_back(entry->second);
    });
  }
  const std::int64_t n = static_cast<std::int64_t>(used.size()), width = table.sizes()[1];
  const Tensor index = tensor(places, {static_cast<std::int64_t>(places.size()), 1});
  const Tensor values = detail::full({}, {n, width}, Scalar::literal(0.0), table.dtype());
  std::int64_t at = 0;
  for (const RowGradients::Part& part : rows.parts) {
    const std::int64_t count = part.index.numel();
    detail::scatter_add_in_place({}, values, 0, detail::narrow({}, index, 0, at, count).expand({count, width}), part.values);
    at += count;
  }
  return {tensor(used, {n, 1}), values};
}

Tensor dense_rows(const Tensor& table) {
  const NoGradGuard no_grad;
  Tensor dense = detail::full({}, table.sizes(), Scalar::literal(0.0), table.dtype());
  for (const RowGradients::Part& part : rows_of(table)->parts)
    detail::scatter_add_in_place({}, dense, 0, part.index.expand(part.values.sizes()), part.values);
  return dense;
}

}  // namespace swage::autograd
