#include <swage/nn/memory.hpp>

#include <algorithm>
#include <cmath>

#include <swage/creation.hpp>
#include <swage/detail/call.hpp>
#include <swage/functional.hpp>
#include <swage/pointwise.hpp>
#include <swage/products.hpp>

namespace swage::nn {

void Memory::append(const Tensor& key, const Tensor& value) {
  const SiteScope scope(caller());
  if (value.defined() && value.numel() != values_.width())  // before the key is there
    raise<ShapeError>(SiteScope::or_else({}), "[append] the memory holds values of {}, not of shape {}", values_.width(),
                      to_string(value.sizes()));
  keys_.append(key);
  values_.append(value);
}

void Memory::append_rows(const Tensor& keys, const Tensor& values) {
  const SiteScope scope(caller());
  if (keys.dim() != 2 || values.dim() != 2 || keys.size(0) != values.size(0) || values.size(1) != values_.width())
    raise<ShapeError>(SiteScope::or_else({}), "[append_rows] takes m×{} and m×{}, not {} and {}", keys_.width(),
                      values_.width(), to_string(keys.sizes()), to_string(values.sizes()));
  keys_.append(keys);
  values_.append(values);
}

Memory::Found Memory::nearest(const Tensor& query, std::int64_t k) const {
  const SiteScope scope(caller());
  constexpr float kNone = -1e9F;
  const RowStore::Found found = keys_.nearest(query, k);
  std::vector<float> mask(static_cast<std::size_t>(k), kNone);
  std::fill_n(mask.begin(), found.index.size(), 0.0F);
  return {keys_.take(found.index, k), values_.take(found.index, k), tensor(mask, {k})};
}

Tensor Memory::read(const Tensor& query, std::int64_t k) const {
  const SiteScope scope(caller());
  const Found found = nearest(query, k);
  const Tensor scores = matmul(found.keys, query) * (1 / std::sqrt(static_cast<double>(keys_.width())));
  return matmul(softmax(scores + found.mask, 0), found.values);
}

}  // namespace swage::nn
