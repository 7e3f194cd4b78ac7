// What errors say: the op, the shapes, what would be right, and the user's line.
#include <limits>

#include <gtest/gtest.h>

#include <swage/swage.hpp>
#include <test/frontend/tiers.hpp>

namespace swage {
namespace {

template <class E, class F>
void expect_error(F&& f, int line, std::initializer_list<const char*> parts) {
  try {
    f();
    FAIL() << "no error, line " << line;
  } catch (const E& error) {
    const std::string text = error.what();
    for (const char* part : parts) EXPECT_NE(text.find(part), std::string::npos) << part << " not in: " << text;
    const std::string place = "errors_test.cpp:" + std::to_string(line);
    EXPECT_NE(text.find(place), std::string::npos) << place << " not in: " << text;
  }
}

#define EXPECT_ERROR(E, STATEMENT, ...) expect_error<E>([&] { static_cast<void>(STATEMENT); }, __LINE__, {__VA_ARGS__})

TEST(Errors, name_op_shapes_remedy_and_line) {
  const Tensor a = ones({2, 3}), b = ones({4, 5}), i = arange(3);
  EXPECT_ERROR(ShapeError, a + b, "[add]", "2×3", "4×5");
  EXPECT_ERROR(ShapeError, matmul(a, b), "[matmul]", "2×3", "4×5", "3 rows");
  EXPECT_ERROR(ShapeError, matmul(a, ones({2, 2, 2})), "[matmul]", "2×2×2");
  EXPECT_ERROR(ShapeError, linear(a, b), "[linear]", "2×3", "4×5", "must be 5");
  EXPECT_ERROR(ShapeError, conv2d(ones({1, 2, 4, 4}), ones({3, 3, 3, 3})), "[conv2d]", "1×2×4×4");
  EXPECT_ERROR(DTypeError, matmul(i.reshape({1, 3}), i.reshape({3, 1})), "[matmul]", "i64");
  EXPECT_ERROR(ShapeError, a.reshape({5}), "[reshape]", "2×3", "5");
  EXPECT_ERROR(IndexError, a[7], "[select]", "7", "2×3");
  EXPECT_ERROR(IndexError, a.select(5, 0), "dimension 5");
  EXPECT_ERROR(ShapeError, a.item(), "[item]", "2×3");
  EXPECT_ERROR(ShapeError, a.item<float>(), "[item]");
  EXPECT_ERROR(DTypeError, a.to_vector<double>(), "[to_vector]", "f32", "f64");
  EXPECT_ERROR(ShapeError, softmax(a, 1) + softmax(b, 1), "[add]");
  EXPECT_ERROR(ShapeError, cross_entropy(a, i), "[cross_entropy]", "2×3");
  EXPECT_ERROR(DTypeError, cross_entropy(a, ones({2})), "[cross_entropy]", "i64");
  EXPECT_ERROR(ValueError, a + Tensor(), "[add]", "undefined");
  EXPECT_ERROR(ShapeError, a.add_(b), "[add", "2×3");
  EXPECT_ERROR(DTypeError, where(a, a, a), "[where]", "bool");
  EXPECT_ERROR(AutogradError, a.backward(a), "[backward]", "does not require a gradient");
  EXPECT_ERROR(ShapeError, mse_loss(a, b), "[sub]", "2×3");
}

TEST(Errors, extents_beyond_all_bounds) {
  const Tensor a = ones({2, 3}), e = zeros({0, 3});
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  EXPECT_ERROR(ShapeError, zeros({-1}), "[full]", "-1");
  EXPECT_ERROR(ShapeError, zeros({1LL << 40, 1LL << 40}), "[full]", "addressed");
  EXPECT_ERROR(ShapeError, ones({1, 1}).expand({1LL << 40, 1}) + ones({1}).expand({1LL << 40}), "addressed");
  EXPECT_ERROR(MemoryError, zeros({1LL << 45}), "[full]", "35184372088832");
  EXPECT_ERROR(ShapeError, e.expand({1LL << 40, 1LL << 40, 0, 3}), "[expand]", "addressed");
  EXPECT_ERROR(ShapeError, a.expand({-5, 2, 3}), "[expand]", "negative");
  EXPECT_ERROR(ShapeError, ones({1}).expand({-5}), "[expand]", "negative");
  EXPECT_ERROR(ShapeError, a.expand({}), "[expand]", "lose");
  EXPECT_ERROR(IndexError, a.narrow(0, most, 2), "[narrow]", "2×3");
  EXPECT_ERROR(IndexError, a.narrow(0, 1, most), "[narrow]", "2×3");
  EXPECT_ERROR(ValueError, arange(0, std::numeric_limits<double>::infinity()), "[arange]", "inf");
  EXPECT_ERROR(ValueError, arange(0, 1, std::numeric_limits<double>::quiet_NaN()), "[arange]", "nan");
  EXPECT_THROW(zeros({1, 1, 1, 1, 1, 1, 1, 1, 1}), ShapeError);
  EXPECT_ERROR(ShapeError, zeros({1, 1, 1, 1, 1, 1, 1, 1}).unsqueeze(0), "[unsqueeze]", "8 dimensions");
}

TEST(Errors, nothing_where_something_should_be) {
  const Tensor u, a = ones({2, 3});
  EXPECT_ERROR(ValueError, u.t(), "[t]", "undefined");
  EXPECT_ERROR(ValueError, zeros_like(u), "[zeros_like]", "undefined");
  EXPECT_ERROR(ValueError, randn_like(u), "[randn_like]", "undefined");
  EXPECT_ERROR(ValueError, a.expand_as(u), "[expand_as]", "undefined");
  EXPECT_ERROR(ValueError, a.copy_(u), "[copy]", "undefined");
  EXPECT_THROW(static_cast<void>(u.sizes()), ValueError);
  EXPECT_ERROR(ValueError, from_blob(nullptr, {3}, DType::f32), "[from_blob]", "null");
  EXPECT_ERROR(ValueError, borrow(nullptr, {3}, DType::f32), "[borrow]", "null");
  EXPECT_EQ(from_blob(nullptr, {0}, DType::f32).numel(), 0);
}

TEST(Errors, ops_in_place_are_named_as_written) {
  const Tensor i = arange(3), a = ones({2, 3});
  EXPECT_ERROR(DTypeError, i.div_(2), "[div_]", "i64");
  EXPECT_ERROR(DTypeError, i.exp_(), "[exp_]", "i64");
  EXPECT_ERROR(ShapeError, a.add_(ones({3, 2})), "[add_]", "3×2");
  EXPECT_ERROR(ShapeError, a.copy_(ones({4, 2, 3})), "[copy_]", "4×2×3");
  EXPECT_ERROR(DTypeError, i.copy_(ones({3})), "[copy_]", "f32");
  EXPECT_ERROR(DTypeError, var(i), "[var]", "i64");
}

TEST(Errors, modules_name_the_caller) {
  nn::Linear layer(4, 2);
  EXPECT_ERROR(ShapeError, layer(ones({2, 3})), "[linear]", "2×3", "2×4");
  nn::Sequential net(nn::ReLU(), layer);
  EXPECT_ERROR(ShapeError, net(ones({2, 3})), "[linear]");
  nn::BatchNorm2d norm(3);
  EXPECT_ERROR(ShapeError, norm(ones({2, 4, 2, 2})), "[batch_norm]", "3");
}

// Rounds that fail at the gather are a trace of their own, whose plan shares a prefix with the trace of those that do not.
TEST(Errors, a_bad_index_that_the_window_computes_is_raised_by_its_op) {
  const auto body = [](test::Notes& notes) {
    const Tensor values = arange(4) * 1.5, rows = zeros({2}).to(DType::i64);
    for (int round = 0; round < 14; ++round) {
      rows.fill_(round);
      const Tensor index = rows + 0, before = values * round;
      notes.error([&] { static_cast<void>(gather(values, 0, index)); });
      step();
      notes(before);
    }
  };
  EXPECT_EQ(test::run_in(Tier::compiled, body).notes.difference(test::run_in(Tier::eager, body).notes), "");
}

}  // namespace
}  // namespace swage
