// Every differentiable row of the op table, first and second order, against central differences. A row without a sample here,
// or without a rule, fails.
#include <map>

#include <gtest/gtest.h>

#include <swage/autograd/rules.hpp>
#include <swage/detail/call.hpp>
#include <test/frontend/gradient_check.hpp>

namespace swage {
namespace {

using testing::check_gradients;
using testing::Function;
using testing::uneven;
using Inputs = const std::vector<Tensor>&;

struct Sample {
  Function f;
  std::vector<Tensor> inputs;
};

// Values bounded away from 0: 0.5 to 1.5 with `positive`, else of both signs.
Tensor away(const Dims& sizes, bool positive = false, double phase = 0) {
  const Tensor wave = uneven(sizes, phase);
  if (positive) return wave * 0.5 + 1.0;
  return where(wave > 0, wave + 0.3, wave - 0.3);
}

Tensor convolve(Op op, const Tensor& a, const Tensor& b, std::initializer_list<std::int64_t> ints) {
  const detail::Attr attr{.ints = ints, .dtype = DType::f32};
  return detail::call({}, op, {a, b}, &attr);
}

std::map<Op, std::vector<Sample>> samples() {
  std::map<Op, std::vector<Sample>> all;
  const auto unary = [&](Op op, const Tensor& input) {
    all[op].push_back({[op](Inputs in) { return detail::call({}, op, {in[0]}); }, {input}});
  };
  for (Op op : {Op::neg, Op::abs, Op::sign, Op::exp, Op::square, Op::tanh, Op::sigmoid, Op::sin, Op::cos, Op::relu, Op::copy,
                Op::reciprocal, Op::alias})
    unary(op, away({2, 3}));
  unary(Op::floor, uneven({2, 3}) + 0.011);
  for (Op op : {Op::log, Op::sqrt, Op::rsqrt}) unary(op, away({2, 3}, true));
  unary(Op::exp, away({2, 3}).t());
  all[Op::cast].push_back({[](Inputs in) { return in[0].to(DType::f64) * in[0]; }, {away({3})}});
  all[Op::cast].push_back({[](Inputs in) {
                             const detail::Attr attr{.ints = {}, .dtype = DType::f64};
                             return square(detail::call({}, Op::cast, {in[0]}, &attr));
                           },
                           {away({3})}});

  for (Op op : {Op::add, Op::sub, Op::mul, Op::div, Op::maximum, Op::minimum}) {
    const auto tensors = [op](Inputs in) { return detail::binary({}, op, in[0], in[1]); };
    all[op].push_back({tensors, {away({2, 3}), away({2, 3}, true, 1)}});
    all[op].push_back({tensors, {away({2, 3}), away({3}, true, 1)}});     // broadcast
    all[op].push_back({tensors, {away({2, 1}), away({1, 3}, true, 1)}});  // both ways
    all[op].push_back({tensors, {away({}), away({2, 2}, true, 1)}});
    all[op].push_back({[op](Inputs in) { return detail::binary({}, op, in[0], 0.7); }, {away({2, 3})}});
    all[op].push_back({[op](Inputs in) { return detail::binary({}, op, 0.7, in[0]); }, {away({2, 3})}});
    all[op].push_back({[op](Inputs in) { return detail::binary({}, op, in[0], Scalar::literal(0.6)); }, {away({2, 3})}});
  }
  for (Op op : {Op::tanh_grad, Op::sigmoid_grad})
    all[op].push_back({[op](Inputs in) { return detail::binary({}, op, in[0], in[1]); }, {away({2, 3}), uneven({2, 3}, 1)}});
  all[Op::mul].push_back({[](Inputs in) { return in[0] * in[0]; }, {away({3})}});
  all[Op::assign].push_back({[](Inputs in) {
                               const Tensor target = in[0] * 2.0;
                               target.copy_(square(in[1]));
                               return target * in[0];
                             },
                             {away({2, 3}), away({3}, false, 1)}});
  all[Op::where].push_back({[](Inputs in) { return where(uneven({2, 3}, 2) > 0, square(in[0]), in[1] * in[0]); },
                            {away({2, 3}), away({3}, false, 1)}});
  all[Op::where].push_back({[](Inputs in) { return where(uneven({2, 3}, 2) > 0, 0.5, square(in[0])); }, {away({2, 3})}});

  for (bool keepdim : {false, true}) {
    all[Op::sum].push_back({[=](Inputs in) { return square(sum(in[0], {0, 2}, keepdim)); }, {away({2, 3, 2})}});
    for (const bool greatest : {false, true}) {
      const auto extremum = [=](Inputs in) {
        const Tensor cubes = in[0] * square(in[0]);
        return greatest ? amax(cubes, 1, keepdim) : amin(cubes, 1, keepdim);
      };
      all[greatest ? Op::amax : Op::amin].push_back({extremum, {uneven({3, 4})}});
    }
  }
  all[Op::sum].push_back({[](Inputs in) { return square(sum(in[0])); }, {away({})}});

  const auto product = [](Inputs in) { return matmul(in[0], in[1]); };
  all[Op::matmul].push_back({product, {uneven({2, 3}), uneven({3, 4}, 1)}});
  all[Op::matmul].push_back({[](Inputs in) { return matmul(in[0].t(), in[1].t()); }, {uneven({3, 2}), uneven({4, 3}, 1)}});
  all[Op::matmul].push_back({[](Inputs in) { return matmul(in[0], in[0]); }, {uneven({3, 3})}});
  all[Op::matmul].push_back({product, {uneven({2, 2, 3}), uneven({2, 3, 2}, 1)}});
  all[Op::matmul].push_back({[](Inputs in) { return matmul(in[0].transpose(1, 2), in[1].transpose(1, 2)); },
                             {uneven({2, 3, 2}), uneven({2, 2, 3}, 1)}});
  all[Op::matmul].push_back({product, {uneven({2, 1, 2, 3}), uneven({2, 3, 2}, 1)}});  // batches broadcast

  all[Op::conv2d].push_back(
      {[](Inputs in) { return conv2d(in[0], in[1], {}, 1, 1); }, {uneven({2, 2, 3, 4}), uneven({3, 2, 3, 3}, 1)}});
  all[Op::conv2d].push_back({[](Inputs in) { return conv2d(in[0], in[1], in[2], {2, 1}, {1, 0}); },
                             {uneven({1, 2, 4, 3}), uneven({2, 2, 2, 3}, 1), uneven({2}, 2)}});
  all[Op::conv2d_grad_input].push_back(
      {[](Inputs in) { return convolve(Op::conv2d_grad_input, in[0], in[1], {2, 1, 1, 1, 1, 2, 4, 3}); },
       {uneven({1, 2, 2, 3}), uneven({2, 2, 3, 3}, 1)}});
  all[Op::conv2d_grad_weight].push_back(
      {[](Inputs in) { return convolve(Op::conv2d_grad_weight, in[0], in[1], {2, 1, 1, 1, 2, 2, 3, 3}); },
       {uneven({1, 2, 2, 3}), uneven({1, 2, 4, 3}, 1)}});

  all[Op::permute].push_back({[](Inputs in) { return square(in[0].permute({2, 0, 1})); }, {away({2, 3, 2})}});
  all[Op::reshape].push_back({[](Inputs in) { return square(in[0].reshape({3, -1})); }, {away({2, 3})}});
  all[Op::reshape].push_back({[](Inputs in) { return square(in[0].t().reshape({6})); }, {away({2, 3})}});
  all[Op::expand].push_back({[](Inputs in) { return square(in[0].expand({4, 2, 3})); }, {away({2, 1})}});
  all[Op::narrow].push_back({[](Inputs in) { return square(in[0].narrow(1, 1, 2)); }, {away({2, 4})}});
  all[Op::narrow].push_back({[](Inputs in) { return in[0][1] * square(in[0].slice(0, 0, 1)); }, {away({2, 4})}});

  const Tensor rows = tensor({{2, 0}, {1, 1}, {0, 2}});
  all[Op::gather].push_back({[=](Inputs in) { return square(gather(in[0], 1, rows)); }, {away({3, 3})}});
  const Tensor one_each = tensor({{2}, {0}});
  all[Op::gather].push_back({[=](Inputs in) { return square(gather(in[0], 1, one_each)); }, {away({2, 3})}});
  const Tensor whole = tensor({2, 0, 2, 1}).reshape({4, 1}).expand({4, 2});
  all[Op::gather].push_back({[=](Inputs in) { return square(gather(in[0], 0, whole)); }, {away({3, 2})}});
  all[Op::scatter_add].push_back(
      {[=](Inputs in) { return square(scatter_add(in[0], 1, rows, in[1])); }, {away({3, 3}), away({3, 2}, false, 1)}});
  return all;
}

class EveryOp : public ::testing::TestWithParam<OpInfo> {};

TEST_P(EveryOp, gradient_twice) {
  const Op op = GetParam().op;
  ASSERT_NE(autograd::rule_of(op).gradient, nullptr) << "no gradient rule";
  const auto all = samples();
  ASSERT_TRUE(all.contains(op)) << "no sample";
  for (const Sample& sample : all.at(op)) check_gradients(sample.f, sample.inputs);
}

std::vector<OpInfo> differentiable_ops() {
  std::vector<OpInfo> ops;
  for (const OpInfo& op : kOpTable)
    if (op.differentiable) ops.push_back(op);
  return ops;
}

INSTANTIATE_TEST_SUITE_P(OpTable, EveryOp, ::testing::ValuesIn(differentiable_ops()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(OpTable, only_differentiable_ops_have_rules) {
  for (const OpInfo& op : kOpTable) EXPECT_EQ(autograd::rule_of(op.op).gradient != nullptr, op.differentiable) << op.name;
}

TEST(Gradients, ties_of_maximum_share) {
  const Tensor a = tensor({1.0, 2.0}).requires_grad_(), b = tensor({1.0, 1.0}).requires_grad_();
  sum(maximum(a, b)).backward();
  EXPECT_EQ(a.grad().to_vector<float>(), (std::vector<float>{0.5f, 1}));
  EXPECT_EQ(b.grad().to_vector<float>(), (std::vector<float>{0.5f, 0}));
  const Tensor c = tensor({3.0, 3.0, 1.0}).requires_grad_();
  amax(c).backward();
  EXPECT_EQ(c.grad().to_vector<float>(), (std::vector<float>{0.5f, 0.5f, 0}));
}

}  // namespace
}  // namespace swage
