// Attention, written down: two batched products and a softmax between them.
#include <cmath>
#include <limits>

#include <swage/creation.hpp>
#include <swage/detail/call.hpp>
#include <swage/functional.hpp>
#include <swage/pointwise.hpp>
#include <swage/products.hpp>

namespace swage {

namespace {

constexpr const char* kName = "scaled_dot_product_attention";

void check(const Tensor& query, const Tensor& key, const Tensor& value, const AttentionOptions& options) {
  detail::require_defined({}, kName, query, "the query");
  detail::require_defined({}, kName, key, "the key");
  detail::require_defined({}, kName, value, "the value");
  const auto extent = [](const Tensor& a, int from_end) { return a.sizes()[a.dim() - from_end]; };
  const bool fits = query.dim() >= 2 && key.dim() >= 2 && value.dim() >= 2 && extent(query, 1) == extent(key, 1) &&
                    extent(key, 2) == extent(value, 2);
  if (!fits)
    raise<ShapeError>(SiteScope::or_else({}),
                      "[{}] takes a query (…,L,E), a key (…,S,E) and a value (…,S,D), not {}, {} and {}", kName,
                      to_string(query.sizes()), to_string(key.sizes()), to_string(value.sizes()));
  if (options.is_causal && options.mask.defined())
    raise<ValueError>(SiteScope::or_else({}), "[{}] is_causal is a mask of its own: give one or the other", kName);
}

}  // namespace

Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                    const AttentionOptions& options) {
  const SiteScope scope(caller());
  check(query, key, value, options);
  const std::int64_t width = query.sizes()[query.dim() - 1];
  const double scale = width > 0 ? 1 / std::sqrt(static_cast<double>(width)) : 1;
  Tensor scores = matmul(query, key.transpose(-1, -2)) * Scalar::literal(scale);
  const Scalar nothing = Scalar::literal(-std::numeric_limits<double>::infinity());
  if (options.is_causal) {
    const std::int64_t rows = scores.sizes()[scores.dim() - 2], columns = scores.sizes()[scores.dim() - 1];
    const Tensor row = detail::iota({}, {rows, 1}, 0, DType::i64), column = detail::iota({}, {1, columns}, 1, DType::i64);
    scores = where(le(column, row), scores, nothing);
  } else if (options.mask.defined()) {
    scores = options.mask.dtype() == DType::boolean ? where(options.mask, scores, nothing) : scores + options.mask;
  }
  return matmul(dropout(softmax(scores, -1), options.dropout), value);
}

}  // namespace swage
