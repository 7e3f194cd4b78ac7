// Creation, types, views, reading and printing.
#include <cmath>
#include <sstream>

#include <gtest/gtest.h>

#include <swage/swage.hpp>

namespace swage {
namespace {

using Floats = std::vector<float>;
using Longs = std::vector<std::int64_t>;

TEST(Creation, values) {
  EXPECT_EQ(zeros({2}).to_vector<float>(), (Floats{0, 0}));
  EXPECT_EQ(full({2}, 3, DType::i64).to_vector<std::int64_t>(), (Longs{3, 3}));
  EXPECT_EQ(arange(4).to_vector<std::int64_t>(), (Longs{0, 1, 2, 3}));
  EXPECT_EQ(arange(1, 8, 3).to_vector<std::int64_t>(), (Longs{1, 4, 7}));
  EXPECT_EQ(arange(0.0, 1.0, 0.25).to_vector<float>(), (Floats{0, 0.25f, 0.5f, 0.75f}));
  EXPECT_EQ(linspace(0, 1, 3).to_vector<float>(), (Floats{0, 0.5f, 1}));
  EXPECT_EQ(eye(2).to_vector<float>(), (Floats{1, 0, 0, 1}));
  EXPECT_EQ(ones_like(zeros({2}, DType::f64)).to_vector<double>(), (std::vector<double>{1, 1}));
  EXPECT_EQ(ones({0, 3}).to_vector<float>(), Floats{});
}

TEST(Creation, nested_numbers) {
  const Tensor matrix = tensor({{1, 2, 3}, {4, 5, 6}});
  EXPECT_EQ(matrix.sizes(), (Dims{2, 3}));
  EXPECT_EQ(matrix.dtype(), DType::i64);
  EXPECT_EQ(tensor({1, 2.5}).dtype(), DType::f32);
  EXPECT_EQ(tensor({true, false}).to_vector<bool>(), (std::vector<bool>{true, false}));
  EXPECT_EQ(tensor(7).dim(), 0);
  EXPECT_EQ(tensor({1, 2}, DType::f64).to_vector<double>(), (std::vector<double>{1, 2}));
  EXPECT_EQ(tensor({std::int64_t{1} << 62, std::int64_t{1}})[0].item<std::int64_t>(), std::int64_t{1} << 62);
  EXPECT_THROW(tensor({{1, 2}, {3}}), ShapeError);
  EXPECT_THROW(tensor(Floats{1, 2, 3}, {2, 2}), ShapeError);
}

TEST(Creation, random_numbers_follow_the_seed) {
  manual_seed(7);
  const auto a = randn({5}).to_vector<float>(), b = rand({5}).to_vector<float>();
  manual_seed(7);
  EXPECT_EQ(randn({5}).to_vector<float>(), a);
  const RandomState here = random_state();
  EXPECT_EQ(rand({5}).to_vector<float>(), b);
  set_random_state(here);
  EXPECT_EQ(rand({5}).to_vector<float>(), b);
  for (std::int64_t number : randint(-2, 3, {200}).to_vector<std::int64_t>()) {
    EXPECT_GE(number, -2);
    EXPECT_LT(number, 3);
  }
  EXPECT_THROW(randint(3, 3, {1}), ValueError);
}

TEST(Memory, from_blob_copies_and_borrow_shares) {
  std::vector<float> memory{1, 2};
  const Tensor copy = from_blob(memory.data(), {2}, DType::f32);
  const Tensor shared = borrow(memory.data(), {2}, DType::f32);
  const Tensor before = shared * 1.0;
  memory = {5, 6};
  EXPECT_EQ(copy.to_vector<float>(), (Floats{1, 2}));
  EXPECT_EQ(shared.to_vector<float>(), (Floats{5, 6}));
  EXPECT_EQ(before.to_vector<float>(), (Floats{1, 2}));
  EXPECT_EQ((shared + 1).to_vector<float>(), (Floats{6, 7}));
  shared.mul_(2);
  EXPECT_EQ(memory[0], 10);
}

TEST(Memory, mutable_data_is_seen) {
  const Tensor a = zeros({2, 2});
  float* data = a.t().mutable_data<float>();
  data[1] = 4;
  EXPECT_EQ((a + 0).to_vector<float>(), (Floats{0, 4, 0, 0}));
  data[1] = 5;
  EXPECT_EQ((a + 0).to_vector<float>(), (Floats{0, 5, 0, 0}));
  EXPECT_THROW(a.mutable_data<double>(), DTypeError);
}

TEST(Types, promotion) {
  const Tensor b = tensor({true, false}), i = tensor({1, 2}), f = tensor({1.5, 2.5}), d = tensor({1.0, 2.0}, DType::f64);
  EXPECT_EQ((b + i).dtype(), DType::i64);
  EXPECT_EQ((i + f).dtype(), DType::f32);
  EXPECT_EQ((f * d).dtype(), DType::f64);
  EXPECT_EQ((f * 2.0).dtype(), DType::f32);
  EXPECT_EQ((f * 2).dtype(), DType::f32);
  EXPECT_EQ((i * 2).dtype(), DType::i64);
  EXPECT_EQ((i * 2.5).dtype(), DType::f32);
  EXPECT_EQ((i * 2.5).to_vector<float>(), (Floats{2.5f, 5}));
  EXPECT_EQ((i / i).dtype(), DType::f32);
  EXPECT_EQ((i / 2).to_vector<float>(), (Floats{0.5f, 1}));
  EXPECT_EQ(exp(i).dtype(), DType::f32);
  EXPECT_EQ(square(i).dtype(), DType::i64);
  EXPECT_EQ((i < f).dtype(), DType::boolean);
  EXPECT_EQ(eq(b, true).to_vector<bool>(), (std::vector<bool>{true, false}));
  EXPECT_EQ(sum(b).item<int>(), 1);
  EXPECT_EQ(sum(b).dtype(), DType::i64);
  EXPECT_EQ(where(b, i, 0.5).dtype(), DType::f32);
  EXPECT_EQ((1.0 - f).to_vector<float>(), (Floats{-0.5f, -1.5f}));
  EXPECT_EQ((2.0 / f).dtype(), DType::f32);
  EXPECT_THROW(mean(i), DTypeError);
  EXPECT_THROW(i.add_(f), DTypeError);
  EXPECT_THROW(i.add_(1.5), DTypeError);
  EXPECT_THROW(i.requires_grad_(), DTypeError);
  EXPECT_EQ(f.add_(i).to_vector<float>(), (Floats{2.5f, 4.5f}));
  EXPECT_EQ(tensor({1.9, -1.9}).to(DType::i64).to_vector<std::int64_t>(), (Longs{1, -1}));
  EXPECT_EQ(f.to(DType::f32).value(), f.value());
}

TEST(Broadcasting, shapes) {
  EXPECT_EQ((ones({2, 1, 3}) + ones({4, 1})).sizes(), (Dims{2, 4, 3}));
  EXPECT_EQ((ones({2, 1}) * arange(3)).to_vector<float>(), (Floats{0, 1, 2, 0, 1, 2}));
  EXPECT_EQ((ones({}) + ones({0, 2})).sizes(), (Dims{0, 2}));
  EXPECT_THROW(ones({2, 3}) + ones({2, 4}), ShapeError);
}

TEST(Views, share_storage) {
  const Tensor a = arange(6).reshape({2, 3});
  EXPECT_EQ(a.t().to_vector<std::int64_t>(), (Longs{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(a.t().strides(), (Dims{1, 3}));
  EXPECT_FALSE(a.t().is_contiguous());
  EXPECT_EQ(a[1].to_vector<std::int64_t>(), (Longs{3, 4, 5}));
  EXPECT_EQ(a[-1][-1].item<int>(), 5);
  EXPECT_EQ(a.select(1, 0).to_vector<std::int64_t>(), (Longs{0, 3}));
  EXPECT_EQ(a.slice(1, -2, 100).to_vector<std::int64_t>(), (Longs{1, 2, 4, 5}));
  EXPECT_EQ(a.slice(1, 2, 1).numel(), 0);
  EXPECT_EQ(a.narrow(0, 1, 1).sizes(), (Dims{1, 3}));
  EXPECT_EQ(a.unsqueeze(-1).sizes(), (Dims{2, 3, 1}));
  EXPECT_EQ(a.unsqueeze(0).squeeze().sizes(), (Dims{2, 3}));
  EXPECT_EQ(a.flatten().sizes(), Dims{6});
  EXPECT_EQ(ones({2, 3, 4}).flatten(1).sizes(), (Dims{2, 12}));
  EXPECT_EQ(ones({2, 3, 4}).transpose(0, -1).sizes(), (Dims{4, 3, 2}));
  EXPECT_EQ(a.expand({2, 2, 3}).strides(), (Dims{0, 3, 1}));
  EXPECT_TRUE(a.same_storage(a.t()));
  EXPECT_FALSE(a.same_storage(a.clone()));
  EXPECT_EQ(a.t().reshape({6}).to_vector<std::int64_t>(), (Longs{0, 3, 1, 4, 2, 5}));
  EXPECT_THROW(a.t().view({6}), ShapeError);
  EXPECT_THROW(a.reshape({4}), ShapeError);
  EXPECT_THROW(a[2], IndexError);
  EXPECT_THROW(a.size(2), IndexError);
  EXPECT_THROW(a.narrow(1, 2, 2), IndexError);
  a[0].add_(10);
  a.t()[2].fill_(-1);
  EXPECT_EQ(a.to_vector<std::int64_t>(), (Longs{10, 11, -1, 3, 4, -1}));
  const Tensor b = a.clone();
  for (int i = 0; i < 2; ++i) {
    b[i].add_(1);
    EXPECT_EQ((b[i] * 2)[0].item<int>(), i == 0 ? 22 : 8);
  }
}

TEST(InPlace, values) {
  const Tensor a = tensor({1.0, 4.0});
  a.add_(1).sub_(tensor({1.0, 2.0})).mul_(2.0).div_(tensor({2.0, 3.0}));
  EXPECT_EQ(a.to_vector<float>(), (Floats{1, 2}));
  Tensor b = a;
  b += 1;
  b *= b;
  EXPECT_EQ(a.to_vector<float>(), (Floats{4, 9}));
  EXPECT_EQ(a.sqrt_().neg_().relu_().to_vector<float>(), (Floats{0, 0}));
  EXPECT_EQ(a.copy_(tensor({3})).to_vector<float>(), (Floats{3, 3}));
  EXPECT_EQ(a.zero_().to_vector<float>(), (Floats{0, 0}));
  EXPECT_THROW(a.add_(ones({2, 2})), ShapeError);
  EXPECT_THROW(zeros({1}).expand({3}).add_(1), ValueError);
}

TEST(Reductions, values) {
  const Tensor a = tensor({{1.0, 5.0, 3.0}, {4.0, 2.0, 6.0}});
  EXPECT_EQ(sum(a).item(), 21);
  EXPECT_EQ(sum(a, 0).to_vector<float>(), (Floats{5, 7, 9}));
  EXPECT_EQ(sum(a, -1, true).sizes(), (Dims{2, 1}));
  EXPECT_EQ(mean(a, 1).to_vector<float>(), (Floats{3, 4}));
  EXPECT_EQ(amax(a, {0, 1}).item(), 6);
  EXPECT_EQ(amin(a, 0).to_vector<float>(), (Floats{1, 2, 3}));
  EXPECT_EQ(argmax(a, 1).to_vector<std::int64_t>(), (Longs{1, 2}));
  EXPECT_EQ(argmax(a).item<int>(), 5);
  EXPECT_NEAR(var(a).item(), 3.5, 1e-6);
  EXPECT_EQ(sum(tensor(3.0)).item(), 3);
  EXPECT_EQ(sum(ones({0})).item(), 0);
  EXPECT_THROW(amax(ones({0})), ShapeError);
  EXPECT_THROW(sum(a, {0, -2}), ValueError);
  EXPECT_THROW(sum(a, 2), IndexError);
}

TEST(Printing, like_rows) {
  const auto text = [](const Tensor& t) {
    std::ostringstream out;
    out << t;
    return out.str();
  };
  EXPECT_EQ(text(tensor({{1.0, -2.5}, {0.25, 4.0}})), "tensor([[ 1.0000, -2.5000],\n        [ 0.2500,  4.0000]])");
  EXPECT_EQ(text(tensor({1, -20})), "tensor([  1, -20])");
  EXPECT_EQ(text(tensor({1.0, 2.0})), "tensor([1., 2.])");
  EXPECT_EQ(text(tensor(true)), "tensor(true)");
  EXPECT_EQ(text(tensor({1.0}, DType::f64)), "tensor([1.], dtype=f64)");
  EXPECT_EQ(text(ones({0, 2})), "tensor([], sizes=0×2, dtype=f32)");
  EXPECT_EQ(text(Tensor()), "tensor(undefined)");
  EXPECT_EQ(text(tensor({1e-7, 1.0})), "tensor([1.0000e-07, 1.0000e+00])");
  EXPECT_EQ(text(arange(2000)), "tensor([   0,    1,    2, ..., 1997, 1998, 1999])");
  EXPECT_EQ(text(ones({1}).requires_grad_()), "tensor([1.], requires_grad)");
  EXPECT_EQ(text(tensor({NAN, INFINITY})), "tensor([nan, inf])");
}

}  // namespace
}  // namespace swage
