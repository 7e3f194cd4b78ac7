// A number beside tensors. It is weak: it takes the element type of the tensors it meets, and only its class counts
// (`i64_tensor * 2.0` is f32, `f32_tensor * 2.0` stays f32).
#pragma once

#include <concepts>
#include <cstdint>
#include <type_traits>

#include <runtime/core/dtype.hpp>
#include <runtime/trace/op_record.hpp>

namespace swage {

class Scalar {
 public:
  // A user's number: an input of the trace, never part of what makes two traces the same.
  template <class T>
    requires std::is_arithmetic_v<T>
  Scalar(T number) {  // NOLINT(google-explicit-constructor): numbers are meant to convert
    if constexpr (std::floating_point<T>) {
      kind_ = DType::f64;
      value_.real = static_cast<double>(number);
    } else {
      kind_ = DType::i64;
      value_.integer = static_cast<std::int64_t>(number);
    }
  }

  // A constant of a composite: part of the trace's key, and may be folded into the code.
  template <class T>
    requires std::is_arithmetic_v<T>
  static Scalar literal(T number) {
    Scalar scalar(number);
    scalar.literal_ = true;
    return scalar;
  }

  DType kind() const { return kind_; }  // DType::f64 or DType::i64
  bool is_literal() const { return literal_; }
  bool is_floating() const { return kind_ == DType::f64; }
  ScalarValue value() const { return value_; }
  double as_double() const { return is_floating() ? value_.real : static_cast<double>(value_.integer); }
  std::int64_t as_integer() const { return is_floating() ? static_cast<std::int64_t>(value_.real) : value_.integer; }

  // The same number made for a gradient rule: what was a slot stays one.
  static Scalar restored(DType kind, ScalarValue value, bool literal) {
    Scalar scalar(0);
    scalar.kind_ = kind;
    scalar.value_ = value;
    scalar.literal_ = literal;
    return scalar;
  }

 private:
  ScalarValue value_{};
  DType kind_ = DType::i64;
  bool literal_ = false;
};

}  // namespace swage
