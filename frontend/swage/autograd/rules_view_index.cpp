// Gradient rules of views and of data-dependent addressing.
#include <swage/autograd/rules.hpp>
#include <swage/detail/call.hpp>
#include <swage/index.hpp>
#include <swage/pointwise.hpp>

namespace swage::autograd {

namespace {

using C = const RuleContext&;

// The index was saved by `gather`. Where it picks one element a row, the gradient is a comparison with a ramp, which fuses;
// else elements may be picked twice and are added up. So they are where whole rows are picked (an index that is expanded): there the
// comparison would look at every row for each.
Tensor gather_gradient(C c, int) {
  const Tensor index = c.tensor(1);
  const int d = static_cast<int>(c.attribute().ints[0]);
  const ViewDesc& desc = c.operand_desc(0);
  bool one_a_row = index.size(d) == 1;
  for (int i = 0; i < desc.rank(); ++i)
    if (i != d && (index.size(i) != desc.dims[i] || (index.strides()[i] == 0 && index.size(i) > 1))) one_a_row = false;
  if (one_a_row) {
    Dims ramp_dims;
    ramp_dims.resize(desc.rank(), 1);
    ramp_dims[d] = desc.dims[d];
    const Tensor ramp = detail::iota({}, ramp_dims, d, DType::i64);
    return where(eq(ramp, index), c.grad(), Scalar::literal(0));
  }
  const Tensor zero = detail::full({}, {}, Scalar::literal(0), desc.dtype);
  return scatter_add(zero.expand(desc.dims), d, index, c.grad());
}

}  // namespace

void add_view_and_index_rules(RuleTable& table) {
  const auto add = [&](Op op, std::array<std::uint8_t, 3> reads, Tensor (*gradient)(C, int)) {
    table[static_cast<std::size_t>(op)] = {reads, gradient};
  };
  add(Op::alias, {}, [](C c, int) { return c.grad(); });
  add(Op::permute, {}, [](C c, int) {
    Dims inverse;
    const auto& order = c.attribute().ints;
    inverse.resize(static_cast<int>(order.size()));
    for (std::size_t i = 0; i < order.size(); ++i) inverse[static_cast<int>(order[i])] = static_cast<std::int64_t>(i);
    return c.grad().permute(inverse);
  });
  add(Op::reshape, {}, [](C c, int) { return c.grad().reshape(c.operand_desc(0).dims); });
  add(Op::expand, {}, [](C c, int) { return c.grad(); });  // summed back by the pass
  add(Op::narrow, {}, [](C c, int) {
    return detail::embed({}, c.grad(), c.operand_desc(0).dims, static_cast<int>(c.attribute().ints[0]), c.start());
  });
  add(Op::gather, {kReads1}, gather_gradient);
  add(Op::scatter_add, {0, 0, kReads1},
      [](C c, int k) { return k == 0 ? c.grad() : gather(c.grad(), static_cast<int>(c.attribute().ints[0]), c.tensor(1)); });
}

}  // namespace swage::autograd
