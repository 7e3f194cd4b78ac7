// Composites whose gradient is written by hand, because that takes fewer passes over memory than the rules of the primitives
// would: the forward runs off the tape, in place where it can, and one node stands for all of it.
//
// A gradient written by hand is itself differentiated (`create_graph`) by the rules of the ops that it is made of. So it reads nothing
// but operands, the result and the gradient, which are on the tape; what it kept from the forward is not, and where the pass is
// recorded it is computed again from the operands.
#pragma once

#include <memory>

#include <swage/autograd/node.hpp>

namespace swage::autograd {

class Handwritten : public CustomGradient {
 public:
  explicit Handwritten(const char* composite) { name = composite; }

  // Puts `rule` on the tape as the producer of `result`, a fresh tensor that was computed under no_grad from these operands
  // (undefined ones are passed over). Without a gradient to be wanted it is dropped. Gives `result`.
  static Tensor record(std::unique_ptr<Handwritten> rule, detail::PoolVector<Tensor> operands, const Tensor& result,
                       bool reads_result);

  void free_saved() noexcept override { operands_.clear(); }
  bool repeats() const override { return true; }

 protected:
  // AutogradError where it was changed in place since the call.
  const Tensor& operand(std::size_t k) const;
  Tensor result() const;  // only where `record` was told so

 private:
  detail::PoolVector<Tensor> operands_;
  detail::PoolVector<std::uint32_t> versions_;
  Node* node_ = nullptr;  // owns this
};

// `a op b` and `op(a)`, written over `a` where no tape is kept: for values that the caller made and hands over. `a` has the shape of
// the result.
Tensor over(Op op, const Tensor& a, const Tensor& b);
Tensor over(Op op, const Tensor& a, Scalar b);
Tensor over(Op op, const Tensor& a);

}  // namespace swage::autograd
