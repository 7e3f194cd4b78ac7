// Gradient rules of the pointwise primitives.
#include <swage/autograd/rules.hpp>
#include <swage/creation.hpp>
#include <swage/detail/call.hpp>
#include <swage/pointwise.hpp>

namespace swage::autograd {

namespace {

using C = const RuleContext&;

Scalar lit(double number) { return Scalar::literal(number); }

// Calls `f` with operand k, tensor or scalar.
template <class F>
Tensor with_operand(C c, int k, F&& f) {
  if (c.is_tensor(k)) return f(c.tensor(k));
  return f(c.scalar(k));
}

Tensor zeros_of(C c, int k) {
  const ViewDesc& desc = c.operand_desc(k);
  return detail::full({}, desc.dims, lit(0), desc.dtype);
}

// maximum and minimum: the gradient goes to the operand that won; at a tie each gets half.
Tensor extremum(C c, int k, bool wants_greater) {
  const auto share = [&](const auto& mine, const auto& other) {
    const Tensor wins = wants_greater ? gt(mine, other) : lt(mine, other);
    const Tensor half = c.grad() * lit(0.5);
    return where(eq(mine, other), half, where(wins, c.grad(), lit(0)));
  };
  if (c.is_tensor(0) && c.is_tensor(1)) return share(c.tensor(k), c.tensor(1 - k));
  return share(c.tensor(k), c.scalar(1 - k));
}

}  // namespace

void add_pointwise_rules(RuleTable& table) {
  const auto add = [&](Op op, std::array<std::uint8_t, 3> reads, Tensor (*gradient)(C, int)) {
    table[static_cast<std::size_t>(op)] = {reads, gradient};
  };
  constexpr std::uint8_t r0 = kReads0, r1 = kReads1, y = kSavesResult;
  constexpr auto all = static_cast<std::uint8_t>(kReads0 | kReads1);

  add(Op::neg, {}, [](C c, int) { return -c.grad(); });
  add(Op::abs, {r0}, [](C c, int) { return c.grad() * sign(c.tensor(0)); });
  add(Op::sign, {}, [](C c, int) { return zeros_of(c, 0); });
  add(Op::floor, {}, [](C c, int) { return zeros_of(c, 0); });
  add(Op::exp, {y}, [](C c, int) { return c.grad() * c.result(); });
  add(Op::log, {r0}, [](C c, int) { return c.grad() / c.tensor(0); });
  add(Op::sqrt, {y}, [](C c, int) { return c.grad() * lit(0.5) / c.result(); });
  add(Op::rsqrt, {y}, [](C c, int) {
    const Tensor result = c.result();
    return c.grad() * lit(-0.5) * result * square(result);
  });
  add(Op::square, {r0}, [](C c, int) { return c.grad() * (c.tensor(0) * lit(2)); });
  add(Op::reciprocal, {y}, [](C c, int) { return -c.grad() * square(c.result()); });
  add(Op::tanh, {y}, [](C c, int) { return detail::binary({}, Op::tanh_grad, c.grad(), c.result()); });
  add(Op::sigmoid, {y}, [](C c, int) { return detail::binary({}, Op::sigmoid_grad, c.grad(), c.result()); });
  add(Op::sin, {r0}, [](C c, int) { return c.grad() * cos(c.tensor(0)); });
  add(Op::cos, {r0}, [](C c, int) { return -c.grad() * sin(c.tensor(0)); });
  add(Op::relu, {y}, [](C c, int) { return where(le(c.result(), lit(0)), lit(0), c.grad()); });
  add(Op::cast, {}, [](C c, int) { return c.grad().to(c.operand_desc(0).dtype); });
  add(Op::copy, {}, [](C c, int) { return c.grad(); });

  add(Op::add, {}, [](C c, int) { return c.grad(); });
  add(Op::sub, {}, [](C c, int k) { return k == 0 ? c.grad() : -c.grad(); });
  add(Op::mul, {r1, r0},
      [](C c, int k) { return with_operand(c, 1 - k, [&](const auto& other) { return c.grad() * other; }); });
  add(Op::div, {r1, r1 | y}, [](C c, int k) {
    return with_operand(c, 1,
                        [&](const auto& divisor) { return k == 0 ? c.grad() / divisor : -c.grad() * c.result() / divisor; });
  });
  // Of the gradient they scale, and of the result they scale it by.
  add(Op::tanh_grad, {r1, all}, [](C c, int k) {
    if (k == 0) return detail::binary({}, Op::tanh_grad, c.grad(), c.tensor(1));
    return c.grad() * c.tensor(0) * (c.tensor(1) * lit(-2));
  });
  add(Op::sigmoid_grad, {r1, all}, [](C c, int k) {
    if (k == 0) return detail::binary({}, Op::sigmoid_grad, c.grad(), c.tensor(1));
    return c.grad() * c.tensor(0) * (lit(1) - c.tensor(1) * lit(2));
  });
  add(Op::maximum, {all, all}, [](C c, int k) { return extremum(c, k, true); });
  add(Op::minimum, {all, all}, [](C c, int k) { return extremum(c, k, false); });
  add(Op::assign, {}, [](C c, int k) { return k == 0 ? Tensor() : c.grad(); });
  add(Op::where, {0, r0, r0},
      [](C c, int k) { return k == 1 ? where(c.tensor(0), c.grad(), lit(0)) : where(c.tensor(0), lit(0), c.grad()); });
}

}  // namespace swage::autograd
