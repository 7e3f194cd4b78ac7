// Rows that a program collects while it runs: a tensor (n,width) that grows.
//
//   RowStore keys(64);
//   keys.append(key);                          // one row more: no copy of the others
//   auto found = keys.nearest(query, 32);      // the rows with the greatest products
//   Tensor close = keys.take(found.index);
//
// There is room for twice as many rows whenever it runs out, so that n rows cost n writes and at most n copies of a row in all. Windows never
// see how many rows there are: what `append` writes is a view of one place, whose offset is no part of a trace, and what `nearest` and
// `take` give has the extents that were asked for. So a store that grows costs no recompilation. (`rows()` has an extent that
// grows; a program that computes with it step by step is one of changing sizes.)
//
// A store belongs to the thread that made it. Rows are off the tape.
#pragma once

#include <cstdint>
#include <vector>

#include <swage/tensor.hpp>

namespace swage {

class RowStore {
 public:
  // f32 or f64, else DTypeError. ValueError for a width below 1.
  explicit RowStore(std::int64_t width, DType dtype = DType::f32);

  // One row (width) behind the others, or several (m,width). Else ShapeError; DTypeError for another type.
  void append(const Tensor& row);

  std::int64_t size() const { return size_; }
  std::int64_t capacity() const { return capacity_; }
  std::int64_t width() const { return width_; }
  DType dtype() const { return dtype_; }

  // A view of all rows (n,width). Rows are not moved for those that have one: it shows what was there, also once the store has grown.
  Tensor rows() const;

  struct Found {
    std::vector<std::int64_t> index;  // at most k of them, the greatest product first; the older one of two alike
    std::vector<double> product;
  };
  // The k rows with the greatest inner products with `query` (width); all, where there are fewer. Products that are no numbers do not count.
  // Reads the query, and goes through all rows, at the speed of memory.
  Found nearest(const Tensor& query, std::int64_t k) const;
  // A fresh tensor of these rows, (index.size(),width). IndexError. With `count`: filled up to (count,width) with zeros.
  Tensor take(const std::vector<std::int64_t>& index, std::int64_t count = 0) const;

 private:
  void grow(CallSite site, std::int64_t wanted);

  std::int64_t width_, size_ = 0, capacity_ = 0;
  DType dtype_;
  Tensor storage_;  // (capacity,width)
};

}  // namespace swage
