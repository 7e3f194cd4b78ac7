// The gradient of a leaf that is used many times, such as a weight of a recurrent network: from the second use on its part is not computed
// when its turn comes. A product's part, leftᵀ·right, leaves its two factors, a bias' part its rows, and the sum over all uses is then one product,
// or one sum, of all rows below each other. For T uses of an (m,n) matrix on few rows that is T products and T sums of m·n numbers less.
//
// Which parts wait depends on shapes alone, so what a pass emits stays a function of the program.
#pragma once

#include <swage/autograd/node.hpp>
#include <swage/autograd/rules.hpp>
#include <swage/detail/pool.hpp>

namespace swage::autograd {

// Rows below each other, in one tensor. A list that has been joined before, in this pass, is not joined again: the gradient of a linear
// layer's result is a factor of its weight's gradient and the rows of its bias'.
class JoinedRows {
 public:
  using List = detail::PoolVector<Tensor>;
  // `rows`: matrices of one width, the last one on top: a pass meets a program's uses last first, and in its own order they may lie behind
  // each other already. With `by_columns`, of their transposes.
  Tensor join(const List& rows, bool by_columns);

  // What was joined by being one view already.
  struct Span {
    Tensor view;  // a narrow
    List parts;
  };
  const detail::PoolVector<Span>& spans() const { return spans_; }

 private:
  Tensor view_of_all(const List& parts);
  struct Entry {
    detail::PoolVector<const Value*> of;  // kept alive by the lists
    bool by_columns;
    Tensor joined;
  };
  detail::PoolVector<Entry> entries_;
  detail::PoolVector<Span> spans_;
};

// What a leaf's gradient, or that of a transpose of it, is the sum of.
class SharedUses {
 public:
  // leftᵀ·right, of a left (k,m) and a right (k,n); with `by_columns` left·rightᵀ, of a left (m,k) and a right (n,k).
  void add_product(Tensor left, Tensor right, bool by_columns);
  void add_rows(Tensor rows);  // its sum over the first dimension
  // Those of the transpose; both have matrices alone.
  void add_transposed(SharedUses&& uses);

  bool empty() const { return left_[0].empty() && left_[1].empty() && rows_.empty(); }
  // The sum, of shape `sizes`.
  Tensor sum(const Dims& sizes, JoinedRows& joined);

 private:
  JoinedRows::List left_[2], right_[2];  // by rows, by columns
  JoinedRows::List rows_;
};

// Whether the gradient of an operand waits: the node is a product of it with few rows, and its edge leads, be it by transposes, to a leaf that
// was used before. Then it is added so.
bool product_waits(const Node& node, std::size_t operand);
void add_product(const RuleContext& context, std::size_t operand, SharedUses& uses);
// Whether `part`, which is to be summed to the shape of such a leaf, waits.
bool rows_wait(const Edge& edge, const Tensor& part);

}  // namespace swage::autograd
