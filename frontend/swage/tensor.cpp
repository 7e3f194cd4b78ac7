#include <swage/tensor.hpp>

#include <cstring>

#include <swage/autograd/node.hpp>
#include <swage/detail/call.hpp>
#include <swage/detail/strided.hpp>

namespace swage {

void Tensor::undefined() {
  raise<ValueError>(SiteScope::or_else({}),  // inlined into its callers: the address would name a header
                    "this tensor is undefined: it was default-constructed, or is a gradient that "
                    "does not exist");
}

std::int64_t Tensor::size(int d) const {
  const CallSite site = caller();
  detail::require_defined(site, "size", *this);
  const int wrapped = detail::wrap_dim(site, "size", d, dim());
  return dim() ? sizes()[wrapped] : 1;
}

bool Tensor::same_storage(const Tensor& other) const {
  return defined() && other.defined() && value_->owner() == other.value_->owner();
}

namespace {

template <class T>
T single(CallSite site, const Tensor& tensor) {
  detail::require_defined(site, "item", tensor);
  if (tensor.numel() != 1)
    raise<ShapeError>(SiteScope::or_else(site), "[item] needs exactly one element, not the {} of shape {}", tensor.numel(),
                      to_string(tensor.sizes()));
  detail::stream().read(*tensor.value(), SiteScope::or_else(site));
  return visit(tensor.dtype(), [&]<class From>(From) {
    From element;
    std::memcpy(&element, tensor.value()->address(), sizeof element);
    return static_cast<T>(element);
  });
}

template <class T>
void require_type(CallSite site, const char* op, const Tensor& tensor) {
  detail::require_defined(site, op, tensor);
  if (tensor.dtype() != dtype_of<T>)
    raise<DTypeError>(SiteScope::or_else(site), "[{}] the elements are {}, not {}; convert with to() first", op,
                      name_of(tensor.dtype()), name_of(dtype_of<T>));
}

}  // namespace

template <class T>
T Tensor::item() const {
  return single<T>(caller(), *this);
}
template float Tensor::item<float>() const;
template double Tensor::item<double>() const;
template bool Tensor::item<bool>() const;
template int Tensor::item<int>() const;
template std::int64_t Tensor::item<std::int64_t>() const;

double Tensor::item() const { return single<double>(caller(), *this); }

template <class T>
std::vector<T> Tensor::to_vector() const {
  const CallSite site = caller();
  require_type<T>(site, "to_vector", *this);
  detail::stream().read(*value_, SiteScope::or_else(site));
  std::vector<T> values;
  values.reserve(static_cast<std::size_t>(numel()));
  const T* data = static_cast<const T*>(value_->address());
  detail::for_each_offset(view(), [&](std::int64_t offset) { values.push_back(data[offset]); });
  return values;
}
template std::vector<float> Tensor::to_vector() const;
template std::vector<double> Tensor::to_vector() const;
template std::vector<bool> Tensor::to_vector() const;
template std::vector<std::int64_t> Tensor::to_vector() const;

template <class T>
T* Tensor::mutable_data() const {
  const CallSite site = caller();
  require_type<T>(site, "mutable_data", *this);
  detail::stream().expose(*value_, SiteScope::or_else(site));
  ++value_->owner()->version;  // it may be written from now on
  return static_cast<T*>(value_->address());
}
template float* Tensor::mutable_data() const;
template double* Tensor::mutable_data() const;
template bool* Tensor::mutable_data() const;
template std::int64_t* Tensor::mutable_data() const;

Tensor Tensor::to(DType dtype) const {
  const CallSite site = caller();
  detail::require_defined(site, "to", *this);
  return detail::cast(site, *this, dtype);
}

Tensor Tensor::clone() const {
  const CallSite site = caller();
  detail::require_defined(site, "clone", *this);
  return detail::call(site, Op::copy, {*this});
}

Tensor Tensor::contiguous() const {
  const CallSite site = caller();
  detail::require_defined(site, "contiguous", *this);
  return is_contiguous() ? *this : detail::call(site, Op::copy, {*this});
}

}  // namespace swage
