// What errors say: the op, the shapes, what would be right, and the user's line.
#include <gtest/gtest.h>

#include <swage/swage.hpp>

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

TEST(Errors, modules_name_the_caller) {
  nn::Linear layer(4, 2);
  EXPECT_ERROR(ShapeError, layer(ones({2, 3})), "[linear]", "2×3", "2×4");
  nn::Sequential net(nn::ReLU(), layer);
  EXPECT_ERROR(ShapeError, net(ones({2, 3})), "[linear]");
  nn::BatchNorm2d norm(3);
  EXPECT_ERROR(ShapeError, norm(ones({2, 4, 2, 2})), "[batch_norm]", "3");
}

}  // namespace
}  // namespace swage
