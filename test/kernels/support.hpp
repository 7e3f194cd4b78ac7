// Tensors for kernel tests. Every buffer ends where an unmapped page begins: a kernel that reads or writes past the end of its
// operands stops the test.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <kernels/cpu/kernel_table.hpp>
#include <runtime/ops/inference.hpp>

namespace swage::test {

struct Array {
  std::shared_ptr<char> buffer;
  std::int64_t offset = 0;  // elements
  ViewDesc desc;

  char* data() const { return buffer.get() + offset * static_cast<std::int64_t>(size_of(desc.dtype)); }
  std::int64_t numel() const { return desc.numel(); }
  long double get(std::int64_t logical) const;
  void set(std::int64_t logical, long double value);
  Array permuted(std::initializer_list<int> order) const;
  Array transposed() const { return permuted({1, 0}); }
  Array expanded(const Dims& dims) const;           // aligned at the right
  Array stepped(int dim, std::int64_t step) const;  // every step-th
  Array narrowed(int dim, std::int64_t start, std::int64_t length) const;
  Array contiguous() const;  // a copy, made element by element
};

Array empty(DType dtype, const Dims& dims);
Array from(DType dtype, const Dims& dims, const std::function<long double(std::int64_t)>& value);
// Uniform in [low, high]; integers and bools are rounded.
Array random(DType dtype, const Dims& dims, std::uint32_t seed, double low = -3, double high = 3);

struct Scalar {
  ScalarValue value;
  DType kind;
};
inline Scalar real(double x) { return {{.real = x}, DType::f64}; }
inline Scalar integer(std::int64_t x) { return {{.integer = x}, DType::i64}; }

struct Operand {
  Operand(const Array& a) : array(&a) {}
  Operand(Scalar s) : scalar(s) {}
  const Array* array = nullptr;
  Scalar scalar{};
};

// Infers, allocates (or takes operand 0) and runs.
Array run(Op op, const std::vector<Operand>& operands, const Attribute& attribute = {}, bool in_place = false,
          std::int64_t offset = 0, std::int64_t seed = 0);
std::optional<std::string> check(Op op, const std::vector<Operand>& operands, const Attribute& attribute);

// Equal bytes, all NaN counting as one. Layouts may differ.
bool same_bits(const Array& a, const Array& b);
// |a − b| in units in the last place of the correctly rounded b, in a's type.
double ulps(long double a, long double b, DType dtype);

const std::vector<std::string>& isas();                                 // that this machine can run
void on_each_isa(const std::function<void(const std::string&)>& body);  // and back to the first

}  // namespace swage::test
