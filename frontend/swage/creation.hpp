// Tensors made from nothing, from numbers, or from memory. Extents are given as `{2, 3}`; the type is f32 unless said otherwise.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

#include <swage/tensor.hpp>

namespace swage {

Tensor zeros(const Dims& sizes, DType dtype = DType::f32);
Tensor ones(const Dims& sizes, DType dtype = DType::f32);
Tensor full(const Dims& sizes, Scalar value, DType dtype = DType::f32);
Tensor zeros_like(const Tensor& other);
Tensor ones_like(const Tensor& other);
Tensor full_like(const Tensor& other, Scalar value);

Tensor arange(std::int64_t end);  // i64: 0, 1, … end − 1
// start, start + step, … below end (above, where step is negative). i64 where all three are integers, else f32.
Tensor arange(Scalar start, Scalar end, Scalar step = 1, std::optional<DType> dtype = {});
// `count` values from start to end, both included.
Tensor linspace(double start, double end, std::int64_t count, DType dtype = DType::f32);
Tensor eye(std::int64_t n, DType dtype = DType::f32);

// Random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011), keyed by the seed and
// the position in this thread's sequence, so that the same program draws the same numbers with any number of threads.
Tensor rand(const Dims& sizes, DType dtype = DType::f32);   // uniform in [0, 1)
Tensor randn(const Dims& sizes, DType dtype = DType::f32);  // standard normal
Tensor rand_like(const Tensor& other);
Tensor randn_like(const Tensor& other);
Tensor randint(std::int64_t low, std::int64_t high, const Dims& sizes);  // i64, low ≤ value < high
void manual_seed(std::uint64_t seed);                                    // restarts this thread's sequence

// Numbers in nested braces: `tensor({{1, 2}, {3, 4}})`. Integers give i64, booleans bool, anything else f32.
class NestedNumbers {
 public:
  template <class T>
    requires std::is_arithmetic_v<T>
  NestedNumbers(T number)  // NOLINT(google-explicit-constructor)
      : real_{static_cast<double>(number)}, integer_{static_cast<std::int64_t>(number)}, dtype_(type_of<T>()) {}
  NestedNumbers(std::initializer_list<NestedNumbers> rows);  // raises ShapeError where rows differ in shape

 private:
  template <class T>
  static constexpr DType type_of() {
    if (std::is_same_v<T, bool>) return DType::boolean;
    return std::is_integral_v<T> ? DType::i64 : DType::f32;
  }
  friend Tensor tensor(const NestedNumbers& numbers, std::optional<DType> dtype);

  std::vector<double> real_;
  std::vector<std::int64_t> integer_;
  std::vector<std::int64_t> sizes_;
  DType dtype_;
};
Tensor tensor(const NestedNumbers& numbers, std::optional<DType> dtype = {});

// Memory of the caller's, row-major. `from_blob` copies it. `borrow` shares it: it must outlive every tensor that sees it, and every op
// that touches it runs at once, so that the caller may change it between any two ops.
Tensor from_blob(const void* data, const Dims& sizes, DType dtype);
Tensor borrow(void* data, const Dims& sizes, DType dtype);
// The elements of a vector, with the vector's element type (float, double or int64_t).
template <class T>
Tensor tensor(const std::vector<T>& values, const Dims& sizes);
extern template Tensor tensor(const std::vector<float>&, const Dims&);
extern template Tensor tensor(const std::vector<double>&, const Dims&);
extern template Tensor tensor(const std::vector<std::int64_t>&, const Dims&);

}  // namespace swage
