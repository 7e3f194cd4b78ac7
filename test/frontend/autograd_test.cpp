// The tape: accumulation, scopes, in-place changes, lifetimes.
#include <gtest/gtest.h>

#include <swage/swage.hpp>
#include <test/frontend/gradient_check.hpp>

namespace swage {
namespace {

using Floats = std::vector<float>;

TEST(Tape, accumulates_and_keeps_leaves_apart) {
  const Tensor w = tensor({1.0, 2.0}).requires_grad_();
  EXPECT_FALSE(w.grad().defined());
  sum(w * w).backward();
  EXPECT_EQ(w.grad().to_vector<float>(), (Floats{2, 4}));
  sum(w * 3).backward();
  EXPECT_EQ(w.grad().to_vector<float>(), (Floats{5, 7}));
  w.set_grad({});
  EXPECT_FALSE(w.grad().defined());
  const Tensor seed = ones({2});
  w.clone().backward(seed);
  w.grad().mul_(5);  // the user's seed is not the gradient
  EXPECT_EQ(seed.to_vector<float>(), (Floats{1, 1}));
  const Tensor v = ones({2}).requires_grad_(), u = ones({2}).requires_grad_();
  (v + u).backward(ones({2}));
  v.grad().zero_();
  EXPECT_EQ(u.grad().to_vector<float>(), (Floats{1, 1}));
}

TEST(Tape, gradients_of_expanded_and_viewed_leaves) {
  const Tensor w = ones({2, 3}).requires_grad_();
  sum(w).backward();
  w.grad().add_(1);  // a gradient is plain memory
  EXPECT_EQ(w.grad().to_vector<float>(), Floats(6, 2));
  const Tensor m = ones({3, 2}).requires_grad_();
  sum(linear(ones({4, 2}), m)).backward();
  EXPECT_EQ(m.grad().to_vector<float>(), Floats(6, 4));
  EXPECT_TRUE(m.grad().is_contiguous());
}

TEST(Tape, no_grad_and_detach) {
  const Tensor w = ones({2}).requires_grad_();
  {
    NoGradGuard guard;
    EXPECT_FALSE((w * 2).requires_grad());
    w.add_(1);
  }
  EXPECT_FALSE(no_grad([&] { return w * 2; }).requires_grad());
  const Tensor d = (w * 2).detach();
  EXPECT_FALSE(d.requires_grad());
  EXPECT_TRUE(w.detach().same_storage(w));
  const Tensor plain = ones({1});
  plain.detach().requires_grad_();
  EXPECT_FALSE(plain.requires_grad());
  EXPECT_FALSE(argmax(w).requires_grad());
  EXPECT_FALSE((w > 0).requires_grad());
  EXPECT_FALSE(w.to(DType::i64).requires_grad());
  EXPECT_THROW(d.backward(ones({2})), AutogradError);
}

TEST(Tape, second_backward) {
  const Tensor w = ones({2}).requires_grad_();
  const Tensor loss = sum(exp(w));
  loss.backward({}, true);
  loss.backward();
  EXPECT_THROW(loss.backward(), AutogradError);
  EXPECT_THROW((w * 2).backward(), ShapeError);
}

TEST(Tape, diamond_and_deep) {
  const Tensor w = tensor(2.0).requires_grad_();
  const Tensor a = w * w, b = a * w, c = a + b;
  (c * a).backward();  // w⁴ + w⁵
  EXPECT_EQ(w.grad().item(), 4 * 8 + 5 * 16);
  const Tensor v = tensor(1.0).requires_grad_();
  {
    Tensor deep = v;
    for (int i = 0; i < 100'000; ++i) deep = deep + 0;
    if (true) deep.backward();
    EXPECT_EQ(v.grad().item(), 1);
    deep = v;
    for (int i = 0; i < 100'000; ++i) deep = tanh(deep);
  }  // freed without recursion
}

TEST(Tape, results_that_rules_read_outlive_their_handles) {
  const Tensor w = tensor({0.5, -0.5}).requires_grad_();
  Tensor y = sum(square(tanh(exp(w))));
  y.backward();
  const Floats once = w.grad().to_vector<float>();
  w.set_grad({});
  y = sum(square(tanh(exp(w))));
  step();  // whatever was pending is computed; handles are gone
  y.backward();
  EXPECT_EQ(w.grad().to_vector<float>(), once);
}

TEST(Tape, leaves_no_memory_behind) {
  const auto work = [] {
    const Tensor w = ones({64}).requires_grad_();
    const Tensor y = sum(square(sigmoid(tanh(exp(w)))));
    const Tensor kept = exp(w * 2);  // never differentiated
    grad({sum(square(grad({y}, {w}, {}, true, true)[0]))}, {w}, {}, true);
    backward({y}, {}, true);
    const Tensor z = w * 3;
    z.mul_(2).add_(w).exp_();
    sum(z).backward();
    step();
  };
  work();
  const auto before = memory_stats().live_bytes;
  for (int i = 0; i < 3; ++i) work();
  EXPECT_EQ(memory_stats().live_bytes, before);
}

TEST(Tape, grad_function) {
  const Tensor x = tensor({1.0, 2.0}).requires_grad_(), unused = ones({3}).requires_grad_();
  const Tensor y = x * x * x;
  const auto first = grad({sum(y)}, {x, unused, x}, {}, true, true);
  EXPECT_EQ(first[0].to_vector<float>(), (Floats{3, 12}));
  EXPECT_EQ(first[1].to_vector<float>(), (Floats{0, 0, 0}));
  EXPECT_EQ(first[2].to_vector<float>(), (Floats{3, 12}));
  const auto second = grad({sum(first[0])}, {x}, {}, false, true);
  EXPECT_EQ(second[0].to_vector<float>(), (Floats{6, 12}));
  EXPECT_FALSE(x.grad().defined());
  const Tensor middle = x * 2;
  EXPECT_EQ(grad({sum(middle * middle)}, {middle})[0].to_vector<float>(), (Floats{4, 8}));
  EXPECT_THROW(grad({sum(middle)}, {ones({1})}), AutogradError);
}

TEST(Tape, in_place_on_computed_values) {
  using Inputs = const std::vector<Tensor>&;
  testing::check_gradients(
      [](Inputs in) {
        const Tensor x = in[0] * 2.0;
        x.mul_(in[1]).add_(in[0]).mul_(x);
        return x.sigmoid_();
      },
      {testing::uneven({3}), testing::uneven({3}, 1)});
  testing::check_gradients([](Inputs in) { return (in[0] + 0).neg_().add_(in[1]).exp_(); },
                           {testing::uneven({3}), testing::uneven({3}, 1) + 3.0});
  testing::check_gradients([](Inputs in) { return sigmoid((in[0] * in[1]).sub_(0.5).div_(in[1])); },
                           {testing::uneven({3}), testing::uneven({3}, 1) + 3.0});
  const Tensor buffer = zeros({2}), w = ones({2}).requires_grad_();
  buffer.add_(w * 3);  // a plain tensor joins the tape
  EXPECT_TRUE(buffer.requires_grad());
  sum(buffer).backward();
  EXPECT_EQ(w.grad().to_vector<float>(), (Floats{3, 3}));
}

template <class E = AutogradError, class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const E& error) {
    return error.what();
  }
  return "no error";
}

TEST(Tape, changed_values_are_refused) {
  const Tensor w = ones({2}).requires_grad_();
  const Tensor x = ones({2}) * 2;
  const Tensor product = w * x;
  x.add_(1);
  const std::string operand = error_of([&] { sum(product).backward(); });
  EXPECT_NE(operand.find("[mul]"), std::string::npos) << operand;
  EXPECT_NE(operand.find("changed in place"), std::string::npos) << operand;
  EXPECT_NE(operand.find("clone()"), std::string::npos) << operand;

  const Tensor y = exp(w);
  y.add_(1);
  const std::string result = error_of([&] { sum(y).backward(); });
  EXPECT_NE(result.find("the result of [exp]"), std::string::npos) << result;

  const Tensor z = w + x;  // add reads nothing: no error
  x.add_(1);
  sum(z).backward();

  const Tensor v = ones({2});
  const Tensor through_view = w * v;
  v[0].add_(1);
  EXPECT_THROW(sum(through_view).backward(), AutogradError);
}

TEST(Tape, writes_that_cannot_be_differentiated) {
  const Tensor w = ones({2}).requires_grad_();
  EXPECT_NE(error_of([&] { w.add_(1); }).find("leaf"), std::string::npos);
  EXPECT_NE(error_of([&] { w[0].add_(1); }).find("view"), std::string::npos);
  const Tensor plain = zeros({2});
  EXPECT_NE(error_of([&] { plain[0].copy_(w[0]); }).find("view"), std::string::npos);
  const Tensor computed = w * 2, view = computed[0];
  computed.add_(1);
  EXPECT_NE(error_of([&] { return view * 2; }).find("view"), std::string::npos);
  EXPECT_THROW(computed.requires_grad_(false), AutogradError);
}

}  // namespace
}  // namespace swage
