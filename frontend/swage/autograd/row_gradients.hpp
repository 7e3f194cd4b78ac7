// Gradients of tables of which a step uses few rows, such as embeddings: kept as those rows, so that neither the backward pass nor the optimizer
// touches the others. An optimizer that knows them updates only the rows that were used (Adam as in PyTorch's SparseAdam); any other
// is given the dense gradient.
#pragma once

#include <cstdint>
#include <vector>

#include <swage/autograd/node.hpp>
#include <swage/tensor.hpp>

namespace swage::autograd {

// From now on the gradient of `table`, a leaf of shape (count,width), is kept as rows where it comes from `embedding`.
void keep_rows(const Tensor& table);
bool keeps_rows(const Tensor& table);

// Adds to the rows. `values` (n,width) must not change afterwards; nor `index` (n,1).
void add_rows(const Tensor& table, const Tensor& index, const Tensor& values);
bool has_rows(const Tensor& table);
void drop_rows(const Tensor& table);

// The rows that were used, each once, in order of first use, and their gradients.
struct SummedRows {
  Tensor index;   // (n,1) i64
  Tensor values;  // (n,width)
};
SummedRows summed_rows(const Tensor& table);  // reads the indices on the host
Tensor dense_rows(const Tensor& table);       // the same in the shape of the table, zero elsewhere

}  // namespace swage::autograd
