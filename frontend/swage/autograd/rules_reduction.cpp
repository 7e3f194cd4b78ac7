// Gradient rules of the reductions.
#include <swage/autograd/rules.hpp>
#include <swage/detail/call.hpp>
#include <swage/pointwise.hpp>

namespace swage::autograd {

namespace {

using C = const RuleContext&;

// The extents that the result would have had with keepdim.
Dims kept_dims(C c) {
  Dims dims = c.operand_desc(0).dims;
  const auto& ints = c.attribute().ints;
  for (std::size_t i = 1; i < ints.size(); ++i) dims[static_cast<int>(ints[i])] = 1;
  return dims;
}

Tensor kept(C c, const Tensor& reduced) { return reduced.reshape(kept_dims(c)); }

// amax and amin: the gradient is shared evenly between all elements that reach the extremum.
Tensor extremum(C c, int) {
  const Tensor grad = kept(c, c.grad()), result = kept(c, c.result());
  const Tensor mask = eq(c.tensor(0), result).to(grad.dtype());
  const detail::Attr attr{.ints =
                              [&] {
                                detail::Ints ints{1};
                                const auto& all = c.attribute().ints;
                                ints.append(std::span(all).subspan(1));
                                return ints;
                              }(),
                          .dtype = DType::f32};
  const Tensor count = detail::call({}, Op::sum, {mask}, &attr);
  return mask * (grad / count);
}

}  // namespace

void add_reduction_rules(RuleTable& table) {
  const auto add = [&](Op op, std::array<std::uint8_t, 3> reads, Tensor (*gradient)(C, int)) {
    table[static_cast<std::size_t>(op)] = {reads, gradient};
  };
  add(Op::sum, {}, [](C c, int) { return kept(c, c.grad()).expand(c.operand_desc(0).dims); });
  add(Op::amax, {kReads0 | kSavesResult}, extremum);
  add(Op::amin, {kReads0 | kSavesResult}, extremum);
}

}  // namespace swage::autograd
