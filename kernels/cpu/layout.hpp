// Small questions about views, asked on every call: inline and without allocation.
#pragma once

#include <cstdint>
#include <cstring>

#include <runtime/core/allocator.hpp>
#include <runtime/core/error.hpp>
#include <runtime/engine/kernel_table.hpp>

namespace swage {

inline std::int64_t elements(const ViewDesc& desc) {
  std::int64_t n = 1;
  for (int d = 0; d < desc.rank(); ++d) n *= desc.dims[d];
  return n;
}

inline bool dense(const ViewDesc& desc) {  // row-major without gaps
  std::int64_t expected = 1;
  for (int d = desc.rank() - 1; d >= 0; --d) {
    if (desc.dims[d] != 1 && desc.strides[d] != expected) return false;
    expected *= desc.dims[d];
  }
  return true;
}

// The scalar operand, converted to `dtype`, as bytes.
inline void scalar_bytes(const KernelArgs& args, int k, DType dtype, void* out) {
  const ScalarOperand scalar = scalar_operand(args, k);
  switch (dtype) {
    case DType::boolean: {
      const bool x = scalar.kind == DType::i64 ? scalar.value.integer != 0 : scalar.value.real != 0;
      std::memcpy(out, &x, sizeof x);
      break;
    }
    case DType::i64: {
      const auto x = scalar.as<std::int64_t>();
      std::memcpy(out, &x, sizeof x);
      break;
    }
    case DType::f32: {
      const auto x = scalar.as<float>();
      std::memcpy(out, &x, sizeof x);
      break;
    }
    case DType::f64: {
      const auto x = scalar.as<double>();
      std::memcpy(out, &x, sizeof x);
      break;
    }
  }
}

// A temporary.
class Scratch {
 public:
  explicit Scratch(std::size_t bytes) : data_(allocate_buffer(bytes)), bytes_(bytes) {}
  ~Scratch() { free_buffer(data_, bytes_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  void* data_;
  std::size_t bytes_;
};

// Copies any view into dense memory.
void copy_dense(const KernelView& from, void* to);

}  // namespace swage
