// Keys and values that a network adds to while it runs, and answers from: attention over the keys nearest to a query.
#pragma once

#include <cstdint>

#include <swage/row_store.hpp>

namespace swage::nn {

class Memory {
 public:
  Memory(std::int64_t key_width, std::int64_t value_width) : keys_(key_width), values_(value_width) {}

  // key (key_width), value (value_width), f32. Off the tape: what was stored stays as it is.
  void append(const Tensor& key, const Tensor& value);
  std::int64_t size() const { return keys_.size(); }

  struct Found {
    Tensor keys, values;  // (k,key_width), (k,value_width); zeros where there are fewer than k
    Tensor mask;          // (k): 0 for each that there is, −10⁹ for others; to be added to scores
  };
  // The k keys with the greatest products with `query` (key_width), which is read for that. Extents are the same however many there are.
  Found nearest(const Tensor& query, std::int64_t k) const;

  // softmax(keys·query/√key_width)·values over the k nearest → (value_width); zeros from an empty memory. Differentiable in the query.
  Tensor read(const Tensor& query, std::int64_t k) const;

  const RowStore& keys() const { return keys_; }
  const RowStore& values() const { return values_; }
  // Adds all rows of both, such as those that a run has saved.
  void append_rows(const Tensor& keys, const Tensor& values);

 private:
  RowStore keys_, values_;
};

}  // namespace swage::nn
