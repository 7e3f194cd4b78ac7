// A 64-bit digest of tensors, to hold two runs against each other: element type, shape and the exact bits of every element, in
// row-major order whatever the strides. All NaNs count as one (their sign and payload are unspecified). Reads memory directly and
// records no op, so that hashing leaves no mark on what is measured.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <swage/swage.hpp>

namespace swage::bench {

class Digest {
 public:
  Digest() = default;
  explicit Digest(std::uint64_t value) : value_(value) {}

  void add(const Tensor& tensor);  // settles it; an undefined tensor counts as such
  void add(std::string_view text);
  void add(std::uint64_t word);

  std::uint64_t value() const { return value_; }
  std::string text() const;  // 16 hexadecimal digits

 private:
  std::uint64_t value_ = 0x9AE16A3B2F90404FULL;
};

// Of all elements, summed in double; reads as the digest does.
double root_mean_square(std::span<const Tensor> tensors);

// The digest of `n` elements in a row.
std::uint64_t hash_elements(const void* data, std::int64_t n, DType dtype);

}  // namespace swage::bench
