// From a public entry to `Stream::emit`: operands, interned attributes, and the tape. Every primitive of the frontend passes
// through `call` or `call_in_place`.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>

#include <runtime/core/error.hpp>
#include <runtime/engine/stream.hpp>
#include <swage/tensor.hpp>

namespace swage::detail {

// A short list of integers held inline: the integers of an attribute.
class Ints {
 public:
  static constexpr int kMax = 12;
  Ints() = default;
  Ints(std::initializer_list<std::int64_t> values) { append(std::span(values.begin(), values.size())); }
  Ints(std::initializer_list<std::int64_t> values, const Dims& more) : Ints(values) { append(more.span()); }
  explicit Ints(const Dims& dims) { append(dims.span()); }
  void append(std::span<const std::int64_t> values) {
    for (std::int64_t value : values) push_back(value);
  }
  void push_back(std::int64_t value) {
    invariant(count_ < kMax, "an attribute has too many integers");
    values_[static_cast<std::size_t>(count_++)] = value;
  }
  std::span<const std::int64_t> span() const { return {values_.data(), static_cast<std::size_t>(count_)}; }

 private:
  std::array<std::int64_t, kMax> values_;
  int count_ = 0;
};

// A primitive's attribute before it is interned; the literal operand, if any, is added by `call`.
struct Attr {
  Ints ints;
  DType dtype = DType::f32;
};

// A tensor or a scalar.
struct Operand {
  Operand(const Tensor& tensor) : value(tensor.value()) {}  // NOLINT(google-explicit-constructor)
  Operand(Scalar number) : scalar(number) {}                // NOLINT(google-explicit-constructor)

  Value* value = nullptr;
  Scalar scalar = 0;
};

// The calling thread's stream, with kernels and compiler wired in.
Stream& stream();

// Interned, through a small cache per thread.
AttrId attribute_id(const Ints& ints, DType dtype, double real);

// Emits one primitive and, where a gradient is wanted, puts it on the tape. Operands have the dtypes that the op takes already.
Tensor call(CallSite site, Op op, std::initializer_list<Operand> operands, const Attr* attr = nullptr, std::int64_t start = 0);
// The same, writing operand 0.
Tensor call_in_place(CallSite site, Op op, std::initializer_list<Operand> operands, const Attr* attr = nullptr);
// Past every fast path and batch scope: to the stream, and onto the tape.
Tensor emit(const OpCall& call);
Tensor emit_in_place(const OpCall& call);
// The same if it is just what a known path expects; undefined, and nothing done, where it is not.
Tensor expected_in_place(CallSite site, Op op, const Tensor& target, const Tensor& other);
Tensor expected_in_place(CallSite site, Op op, const Tensor& target, Scalar other);
// A view likewise, by the integers of its attribute. What is expected is right for a tensor like this one: the path has been there.
Tensor expected_view(CallSite site, Op op, const Tensor& a, std::span<const std::int64_t> ints, std::int64_t start = 0);

// Raises ValueError where a tensor is undefined.
void require_defined(CallSite site, std::string_view op, const Tensor& tensor, std::string_view what = "an operand");
// 0 ≤ result < rank; raises IndexError. A rank of 0 counts as 1.
int wrap_dim(CallSite site, std::string_view op, std::int64_t d, int rank);

Tensor cast(CallSite site, const Tensor& tensor, DType dtype);
Tensor unary(CallSite site, Op op, const Tensor& a);  // integers become f32 where the op is floating
Tensor binary(CallSite site, Op op, const Tensor& a, const Tensor& b);
Tensor binary(CallSite site, Op op, const Tensor& a, Scalar b);
Tensor binary(CallSite site, Op op, Scalar a, const Tensor& b);
Tensor full(CallSite site, const Dims& sizes, Scalar value, DType dtype);
Tensor iota(CallSite site, const Dims& sizes, int d, DType dtype);

}  // namespace swage::detail
