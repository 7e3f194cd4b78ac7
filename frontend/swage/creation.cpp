#include <swage/creation.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>

#include <runtime/core/allocator.hpp>
#include <swage/autograd/grad_mode.hpp>
#include <swage/detail/call.hpp>
#include <swage/pointwise.hpp>

namespace swage {

using detail::full;

namespace {

Tensor draw(CallSite site, Op op, const Dims& sizes, DType dtype) {
  const detail::Attr attr{.ints = detail::Ints(sizes), .dtype = dtype};
  return detail::call(site, op, {}, &attr);
}

Tensor filled_like(CallSite site, const char* op, const Tensor& other, Scalar value) {
  detail::require_defined(site, op, other);
  return full(site, other.sizes(), value, other.dtype());
}

Tensor copied(const void* data, const Dims& sizes, DType dtype) {
  const auto bytes = static_cast<std::size_t>(sizes.product()) * size_of(dtype);
  void* buffer = allocate_buffer(bytes);
  if (bytes) std::memcpy(buffer, data, bytes);
  return Tensor(detail::stream().adopt_buffer(buffer, bytes, intern(dtype, sizes), true));
}

void check_sizes(CallSite site, const char* op, const Dims& sizes) {
  std::int64_t elements = 1;
  for (std::int64_t extent : sizes) {
    if (extent < 0) raise<ShapeError>(site, "[{}] extents must not be negative: {}", op, to_string(sizes));
    if (extent > (std::int64_t{1} << 56) / elements)
      raise<ShapeError>(site, "[{}] shape {} has more elements than can be addressed", op, to_string(sizes));
    elements *= std::max<std::int64_t>(extent, 1);
  }
}

void check_data(CallSite site, const char* op, const void* data, const Dims& sizes) {
  if (!data && sizes.product() != 0)
    raise<ValueError>(site, "[{}] the pointer is null, but shape {} has elements", op, to_string(sizes));
}

}  // namespace

Tensor zeros(const Dims& sizes, DType dtype) { return full(caller(), sizes, Scalar::literal(0.0), dtype); }
Tensor ones(const Dims& sizes, DType dtype) { return full(caller(), sizes, Scalar::literal(1.0), dtype); }
Tensor full(const Dims& sizes, Scalar value, DType dtype) { return full(caller(), sizes, value, dtype); }
Tensor zeros_like(const Tensor& other) { return filled_like(caller(), "zeros_like", other, Scalar::literal(0.0)); }
Tensor ones_like(const Tensor& other) { return filled_like(caller(), "ones_like", other, Scalar::literal(1.0)); }
Tensor full_like(const Tensor& other, Scalar value) { return filled_like(caller(), "full_like", other, value); }

Tensor arange(std::int64_t end) {
  const CallSite site = caller();
  return detail::iota(site, {end > 0 ? end : 0}, 0, DType::i64);
}

Tensor arange(Scalar start, Scalar end, Scalar step, std::optional<DType> dtype) {
  const CallSite site = caller();
  const bool floating = start.is_floating() || end.is_floating() || step.is_floating();
  const DType type = dtype.value_or(floating ? DType::f32 : DType::i64);
  if (step.as_double() == 0) raise<ValueError>(SiteScope::or_else(site), "[arange] the step must not be 0");
  const double count = std::ceil((end.as_double() - start.as_double()) / step.as_double());
  if (!(count < 0x1p56))
    raise<ValueError>(SiteScope::or_else(site), "[arange] {} to {} in steps of {} is no finite range", start.as_double(),
                      end.as_double(), step.as_double());
  const std::int64_t n = count > 0 ? static_cast<std::int64_t>(count) : 0;
  const Tensor ramp = detail::iota(site, {n}, 0, type);
  return detail::binary(site, Op::add, detail::binary(site, Op::mul, ramp, step), start);
}

Tensor linspace(double start, double end, std::int64_t count, DType dtype) {
  const CallSite site = caller();
  if (count < 1) raise<ValueError>(SiteScope::or_else(site), "[linspace] needs at least one value, not {}", count);
  const double step = count > 1 ? (end - start) / static_cast<double>(count - 1) : 0;
  const Tensor ramp = detail::iota(site, {count}, 0, dtype);
  return detail::binary(site, Op::add, detail::binary(site, Op::mul, ramp, step), start);
}

Tensor eye(std::int64_t n, DType dtype) {
  const CallSite site = caller();
  const Tensor rows = detail::iota(site, {n, 1}, 0, DType::i64), columns = detail::iota(site, {1, n}, 1, DType::i64);
  return detail::cast(site, detail::binary(site, Op::eq, rows, columns), dtype);
}

Tensor rand(const Dims& sizes, DType dtype) { return draw(caller(), Op::uniform, sizes, dtype); }
Tensor randn(const Dims& sizes, DType dtype) { return draw(caller(), Op::normal, sizes, dtype); }
Tensor rand_like(const Tensor& other) {
  const CallSite site = caller();
  detail::require_defined(site, "rand_like", other);
  return draw(site, Op::uniform, other.sizes(), other.dtype());
}
Tensor randn_like(const Tensor& other) {
  const CallSite site = caller();
  detail::require_defined(site, "randn_like", other);
  return draw(site, Op::normal, other.sizes(), other.dtype());
}

Tensor randint(std::int64_t low, std::int64_t high, const Dims& sizes) {
  const CallSite site = caller();
  if (high <= low)
    raise<ValueError>(SiteScope::or_else(site), "[randint] the range {} to {} is empty; low must be below high", low, high);
  const Tensor unit = draw(site, Op::uniform, sizes, DType::f64);
  const Tensor steps = detail::unary(site, Op::floor, detail::binary(site, Op::mul, unit, static_cast<double>(high - low)));
  return detail::binary(site, Op::add, detail::cast(site, steps, DType::i64), low);
}

void manual_seed(std::uint64_t seed) { detail::stream().set_random_state({.seed = seed, .offset = 0}); }

NestedNumbers::NestedNumbers(std::initializer_list<NestedNumbers> rows) : dtype_(DType::f32) {
  bool first = true;
  for (const NestedNumbers& row : rows) {
    if (!first && row.sizes_ != rows.begin()->sizes_)
      raise<ShapeError>(SiteScope::or_else(caller()), "[tensor] the rows in braces must all have one shape");
    dtype_ = first ? row.dtype_ : promote(dtype_, row.dtype_);
    first = false;
    real_.insert(real_.end(), row.real_.begin(), row.real_.end());
    integer_.insert(integer_.end(), row.integer_.begin(), row.integer_.end());
  }
  sizes_.push_back(static_cast<std::int64_t>(rows.size()));
  if (!first) sizes_.insert(sizes_.end(), rows.begin()->sizes_.begin(), rows.begin()->sizes_.end());
}

Tensor tensor(const NestedNumbers& numbers, std::optional<DType> dtype) {
  const DType type = dtype.value_or(numbers.dtype_);
  const Dims sizes{std::span<const std::int64_t>(numbers.sizes_)};
  return visit(type, [&]<class T>(T) {
    const std::size_t count = numbers.real_.size();
    const auto values = std::make_unique<T[]>(count + 1);
    for (std::size_t i = 0; i < count; ++i)
      values[i] = is_float(numbers.dtype_) ? static_cast<T>(numbers.real_[i]) : static_cast<T>(numbers.integer_[i]);
    return copied(values.get(), sizes, type);
  });
}

Tensor from_blob(const void* data, const Dims& sizes, DType dtype) {
  const CallSite site = caller();
  check_sizes(site, "from_blob", sizes);
  check_data(site, "from_blob", data, sizes);
  return copied(data, sizes, dtype);
}

Tensor borrow(void* data, const Dims& sizes, DType dtype) {
  const CallSite site = caller();
  check_sizes(site, "borrow", sizes);
  check_data(site, "borrow", data, sizes);
  const auto bytes = static_cast<std::size_t>(sizes.product()) * size_of(dtype);
  return Tensor(detail::stream().adopt_buffer(data, bytes, intern(dtype, sizes), false));
}

template <class T>
Tensor tensor(const std::vector<T>& values, const Dims& sizes) {
  const CallSite site = caller();
  check_sizes(site, "tensor", sizes);
  if (static_cast<std::int64_t>(values.size()) != sizes.product())
    raise<ShapeError>(site, "[tensor] shape {} needs {} values, not {}", to_string(sizes), sizes.product(), values.size());
  return copied(values.data(), sizes, dtype_of<T>);
}
template Tensor tensor(const std::vector<float>&, const Dims&);
template Tensor tensor(const std::vector<double>&, const Dims&);
template Tensor tensor(const std::vector<std::int64_t>&, const Dims&);

}  // namespace swage
