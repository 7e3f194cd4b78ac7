// The user's handle on an n-dimensional array: one counted reference, cheap to copy, value semantics of a handle (copies name
// the same array; `clone()` makes another). Views share storage. Handles belong to the thread that made them.
//
// Element types are f32, f64, i64 and bool; at most 8 dimensions. Dimensions count from 0, or from the end when negative.
// Every function that takes a tensor raises a typed Error (runtime/core/error.hpp) that names the op, the shapes, what would be
// right, and the caller's file and line.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <span>
#include <string>
#include <vector>

#include <runtime/core/value.hpp>
#include <swage/scalar.hpp>

namespace swage {

class Tensor {
 public:
  Tensor() = default;  // undefined: no array at all
  explicit Tensor(ValueRef value) : value_(std::move(value)) {}

  // What it is.
  bool defined() const { return static_cast<bool>(value_); }
  DType dtype() const { return view().dtype; }
  const Dims& sizes() const { return view().dims; }
  const Dims& strides() const { return view().strides; }  // in elements
  int dim() const { return view().rank(); }
  std::int64_t size(int d) const;  // raises IndexError
  std::int64_t numel() const { return view().numel(); }
  bool is_contiguous() const { return view().contiguous(); }  // row-major
  bool same_storage(const Tensor& other) const;

  // Reading on the host settles what is pending.
  template <class T>
  T item() const;  // the only element, converted to T: float, double, int, int64_t, bool. ShapeError unless numel is 1
  double item() const;
  template <class T>
  std::vector<T> to_vector() const;  // row-major; T is exactly the element type, else DTypeError
  // A pointer to the first element, for reading and writing by `strides()`; contiguous() first where rows are wanted. From now
  // on the storage is exposed: ops on it run at once and are never deferred.
  template <class T>
  T* mutable_data() const;

  // Types and copies.
  Tensor to(DType dtype) const;  // itself where nothing changes
  Tensor clone() const;          // a fresh row-major copy, differentiable
  Tensor contiguous() const;     // itself where already row-major

  // Differentiation (autograd/).
  Tensor requires_grad_(bool requires_grad = true) const;  // leaves of floating type only
  bool requires_grad() const { return value_ && (value_->flags & Value::kRequiresGrad); }
  bool is_leaf() const;
  Tensor grad() const;  // undefined where there is none
  void set_grad(const Tensor& grad) const;
  Tensor detach() const;  // shares storage, cut from the tape
  // Adds d(sum(this · gradient))/d(leaf) to the grad of every leaf that this was computed from. `gradient` has the shape of this; it
  // may be left out for a single element. Frees the tape unless told to keep it.
  void backward(const Tensor& gradient = {}, bool retain_graph = false) const;

  // Views: no data moves.
  Tensor t() const;  // 2-D transposed; 0-D and 1-D as they are
  Tensor transpose(int a, int b) const;
  Tensor permute(const Dims& order) const;
  Tensor reshape(const Dims& sizes) const;  // one extent may be −1; copies where no view can do it
  Tensor view(const Dims& sizes) const;     // as reshape, but ShapeError where a copy would be needed
  Tensor flatten(int first = 0, int last = -1) const;
  Tensor narrow(int d, std::int64_t start, std::int64_t length) const;
  Tensor select(int d, std::int64_t index) const;                   // drops the dimension; negative counts from the end
  Tensor slice(int d, std::int64_t start, std::int64_t end) const;  // as Python's: clamped, negative from the end
  Tensor operator[](std::int64_t index) const;                      // select(0, index)
  Tensor expand(const Dims& sizes) const;                           // −1 keeps an extent
  Tensor expand_as(const Tensor& other) const;
  Tensor unsqueeze(int d) const;
  Tensor squeeze() const;
  Tensor squeeze(int d) const;

  // In place: writes this array (all views of it see the change) and returns it. The other operand is broadcast and cast to this
  // shape and type; a floating operand on an integer array is a DTypeError.
  Tensor add_(const Tensor& other) const;
  Tensor add_(Scalar other) const;
  Tensor sub_(const Tensor& other) const;
  Tensor sub_(Scalar other) const;
  Tensor mul_(const Tensor& other) const;
  Tensor mul_(Scalar other) const;
  Tensor div_(const Tensor& other) const;
  Tensor div_(Scalar other) const;
  Tensor copy_(const Tensor& source) const;
  // Adds source's elements where `index` says along d; shapes and types as swage::scatter_add has them.
  Tensor scatter_add_(int d, const Tensor& index, const Tensor& source) const;
  Tensor fill_(Scalar value) const;
  Tensor zero_() const;
  Tensor neg_() const;
  Tensor relu_() const;
  Tensor exp_() const;
  Tensor sqrt_() const;
  Tensor tanh_() const;
  Tensor sigmoid_() const;
  Tensor uniform_(double low = 0, double high = 1) const;
  Tensor normal_(double mean = 0, double standard_deviation = 1) const;
  const Tensor& operator+=(const Tensor& other) const;
  const Tensor& operator+=(Scalar other) const;
  const Tensor& operator-=(const Tensor& other) const;
  const Tensor& operator-=(Scalar other) const;
  const Tensor& operator*=(const Tensor& other) const;
  const Tensor& operator*=(Scalar other) const;
  const Tensor& operator/=(const Tensor& other) const;
  const Tensor& operator/=(Scalar other) const;

  // The value behind the handle, for the library's own use.
  Value* value() const { return value_.get(); }
  const ValueRef& ref() const { return value_; }
  ValueRef take() { return std::move(value_); }

 private:
  const ViewDesc& view() const {
    if (!value_) [[unlikely]]
      undefined();
    return value_->view();
  }
  [[noreturn]] static void undefined();

  ValueRef value_;
};

static_assert(sizeof(Tensor) == sizeof(void*));

// As rows in brackets, four decimals, long ones abridged.
std::ostream& operator<<(std::ostream& out, const Tensor& tensor);
std::string to_string(const Tensor& tensor);

}  // namespace swage
