// The value halves of a window: a vector whose next element can be taken without a test once room is reserved.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>
#include <span>

#include <runtime/trace/op_record.hpp>

namespace swage {

class ValueHalves {
 public:
  ValueHalves() = default;
  ValueHalves(const ValueHalves&) = delete;
  ValueHalves& operator=(const ValueHalves&) = delete;
  ~ValueHalves() { std::free(first_); }

  std::size_t size() const { return static_cast<std::size_t>(end_ - first_); }
  bool empty() const { return first_ == end_; }
  ValueHalf& operator[](std::size_t i) { return first_[i]; }
  const ValueHalf& operator[](std::size_t i) const { return first_[i]; }
  ValueHalf* begin() { return first_; }
  ValueHalf* end() { return end_; }
  const ValueHalf* begin() const { return first_; }
  const ValueHalf* end() const { return end_; }
  operator std::span<const ValueHalf>() const { return {first_, size()}; }  // NOLINT(google-explicit-constructor)

  void reserve(std::size_t halves) {  // throws std::bad_alloc, and then nothing has changed
    if (halves > static_cast<std::size_t>(limit_ - first_)) grow(halves);
  }
  void push_back(const ValueHalf& half) {
    if (end_ == limit_) grow(2 * size() + 64);
    *end_++ = half;
  }
  ValueHalf& take() { return *end_++; }  // room is reserved; the element holds what it last held
  void take(std::size_t halves) { end_ += halves; }
  void pop_back() { --end_; }
  void clear() { end_ = first_; }

 private:
  void grow(std::size_t halves) {
    const std::size_t n = size();
    auto* const grown = static_cast<ValueHalf*>(std::calloc(halves, sizeof(ValueHalf)));
    if (!grown) throw std::bad_alloc();
    for (std::size_t i = 0; i < n; ++i) grown[i] = first_[i];
    std::free(first_);
    first_ = grown;
    end_ = first_ + n;
    limit_ = first_ + halves;
  }

  ValueHalf* first_ = nullptr;
  ValueHalf* end_ = nullptr;
  ValueHalf* limit_ = nullptr;
};

}  // namespace swage
