// The in-place members of Tensor. The version of the storage is counted by the stream; the tape by autograd/record.cpp.
#include <swage/autograd/grad_mode.hpp>
#include <swage/creation.hpp>
#include <swage/detail/call.hpp>
#include <swage/tensor.hpp>

namespace swage {

namespace {

using detail::call_in_place;

std::string_view written_name(Op op) { return op == Op::assign ? "copy" : name_of(op); }

// The other operand in the type of the target.
Tensor fitted(CallSite site, Op op, const Tensor& target, const Tensor& other) {
  detail::require_defined(site, written_name(op), target, "the tensor to write");
  detail::require_defined(site, written_name(op), other);
  if (other.dtype() == target.dtype()) return other;
  if (is_float(other.dtype()) && !is_float(target.dtype()))
    raise<DTypeError>(SiteScope::or_else(site), "[{}_] a tensor of {} cannot take values of {}; convert one with to()",
                      written_name(op), name_of(target.dtype()), name_of(other.dtype()));
  return detail::cast(site, other, target.dtype());
}

Tensor write(CallSite site, Op op, const Tensor& target, const Tensor& other) {
  if (Tensor written = detail::expected_in_place(site, op, target, other); written.defined()) return written;
  return call_in_place(site, op, {target, fitted(site, op, target, other)});
}

Tensor write(CallSite site, Op op, const Tensor& target, Scalar other) {
  if (Tensor written = detail::expected_in_place(site, op, target, other); written.defined()) return written;
  detail::require_defined(site, written_name(op), target, "the tensor to write");
  if (other.is_floating() && !is_float(target.dtype()) && !other.is_literal())
    raise<DTypeError>(SiteScope::or_else(site), "[{}_] a tensor of {} cannot take a floating number; convert it with to()",
                      written_name(op), name_of(target.dtype()));
  return call_in_place(site, op, {target, other});
}

Tensor write(CallSite site, Op op, const Tensor& target) {
  detail::require_defined(site, written_name(op), target, "the tensor to write");
  return call_in_place(site, op, {target});
}

}  // namespace

Tensor Tensor::add_(const Tensor& other) const { return write(caller(), Op::add, *this, other); }
Tensor Tensor::add_(Scalar other) const { return write(caller(), Op::add, *this, other); }
Tensor Tensor::sub_(const Tensor& other) const { return write(caller(), Op::sub, *this, other); }
Tensor Tensor::sub_(Scalar other) const { return write(caller(), Op::sub, *this, other); }
Tensor Tensor::mul_(const Tensor& other) const { return write(caller(), Op::mul, *this, other); }
Tensor Tensor::mul_(Scalar other) const { return write(caller(), Op::mul, *this, other); }
Tensor Tensor::div_(const Tensor& other) const { return write(caller(), Op::div, *this, other); }
Tensor Tensor::div_(Scalar other) const { return write(caller(), Op::div, *this, other); }
Tensor Tensor::copy_(const Tensor& source) const { return write(caller(), Op::assign, *this, source); }
Tensor Tensor::fill_(Scalar value) const { return write(caller(), Op::assign, *this, value); }
Tensor Tensor::zero_() const { return write(caller(), Op::assign, *this, Scalar::literal(0)); }
Tensor Tensor::neg_() const { return write(caller(), Op::neg, *this); }
Tensor Tensor::relu_() const { return write(caller(), Op::relu, *this); }
Tensor Tensor::exp_() const { return write(caller(), Op::exp, *this); }
Tensor Tensor::sqrt_() const { return write(caller(), Op::sqrt, *this); }
Tensor Tensor::tanh_() const { return write(caller(), Op::tanh, *this); }
Tensor Tensor::sigmoid_() const { return write(caller(), Op::sigmoid, *this); }

Tensor Tensor::uniform_(double low, double high) const {
  const SiteScope scope(caller());
  detail::require_defined({}, "uniform", *this, "the tensor to write");
  const Tensor drawn = detail::binary({}, Op::mul, rand(sizes(), dtype()), high - low);
  return copy_(detail::binary({}, Op::add, drawn, low));
}

Tensor Tensor::normal_(double mean, double standard_deviation) const {
  const SiteScope scope(caller());
  detail::require_defined({}, "normal", *this, "the tensor to write");
  const Tensor drawn = detail::binary({}, Op::mul, randn(sizes(), dtype()), standard_deviation);
  return copy_(detail::binary({}, Op::add, drawn, mean));
}

const Tensor& Tensor::operator+=(const Tensor& other) const { return write(caller(), Op::add, *this, other), *this; }
const Tensor& Tensor::operator+=(Scalar other) const { return write(caller(), Op::add, *this, other), *this; }
const Tensor& Tensor::operator-=(const Tensor& other) const { return write(caller(), Op::sub, *this, other), *this; }
const Tensor& Tensor::operator-=(Scalar other) const { return write(caller(), Op::sub, *this, other), *this; }
const Tensor& Tensor::operator*=(const Tensor& other) const { return write(caller(), Op::mul, *this, other), *this; }
const Tensor& Tensor::operator*=(Scalar other) const { return write(caller(), Op::mul, *this, other), *this; }
const Tensor& Tensor::operator/=(const Tensor& other) const { return write(caller(), Op::div, *this, other), *this; }
const Tensor& Tensor::operator/=(Scalar other) const { return write(caller(), Op::div, *this, other), *this; }

}  // namespace swage
