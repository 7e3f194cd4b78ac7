#include <test/kernels/support.hpp>

#include <cmath>
#include <stdexcept>
#include <sys/mman.h>

#include <kernels/cpu/simd_table.hpp>

namespace swage::test {
namespace {

constexpr std::size_t kPage = 4096;

std::shared_ptr<char> guarded(std::size_t bytes) {
  const std::size_t body = (bytes + kPage - 1) / kPage * kPage;
  void* map = mmap(nullptr, body + kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED) throw std::runtime_error("mmap");
  char* start = static_cast<char*>(map);
  mprotect(start + body, kPage, PROT_NONE);
  return {start + body - bytes, [start, body](char*) { munmap(start, body + kPage); }};
}

std::int64_t element_offset(const ViewDesc& desc, std::int64_t logical) {
  std::int64_t at = 0;
  for (int d = desc.rank() - 1; d >= 0; --d) {
    at += logical % desc.dims[d] * desc.strides[d];
    logical /= desc.dims[d];
  }
  return at;
}

KernelArgs arguments(const std::vector<Operand>& operands, KeyHalf& key, Op op, bool in_place) {
  KernelArgs args;
  key.op = op;
  key.n_operands = static_cast<std::uint8_t>(operands.size());
  key.flags = in_place ? KeyHalf::kInPlace : 0;
  args.key = &key;
  for (std::size_t k = 0; k < operands.size(); ++k) {
    if (operands[k].array) {
      const DescId id = intern(operands[k].array->desc);
      key.operands[k] = {1, id};
      args.operands[k] = {operands[k].array->data(), &desc_of(id)};
    } else {
      key.operands[k] = {kScalarSlot, static_cast<DescId>(operands[k].scalar.kind)};
      args.scalar = operands[k].scalar.value;
    }
  }
  return args;
}

const KernelTable& table() {
  static const KernelTable made = cpu_kernel_table();
  return made;
}

}  // namespace

long double Array::get(std::int64_t logical) const {
  const std::int64_t at = element_offset(desc, logical);
  return visit(desc.dtype, [&]<class T>(T x) -> long double {
    std::memcpy(&x, data() + at * static_cast<std::int64_t>(sizeof x), sizeof x);
    return x;
  });
}

void Array::set(std::int64_t logical, long double value) {
  const std::int64_t at = element_offset(desc, logical);
  visit(desc.dtype, [&]<class T>(T) {
    const T x = static_cast<T>(value);
    std::memcpy(data() + at * static_cast<std::int64_t>(sizeof x), &x, sizeof x);
  });
}

Array Array::permuted(std::initializer_list<int> order) const {
  Array view = *this;
  int d = 0;
  for (int from : order) {
    view.desc.dims[d] = desc.dims[from];
    view.desc.strides[d++] = desc.strides[from];
  }
  return view;
}

Array Array::expanded(const Dims& dims) const {
  Array view = *this;
  view.desc.dims = dims;
  view.desc.strides.resize(0);
  view.desc.strides.resize(dims.rank());
  for (int d = 0; d < desc.rank(); ++d) {
    const int to = dims.rank() - desc.rank() + d;
    view.desc.strides[to] = desc.dims[d] == dims[to] ? desc.strides[d] : 0;
  }
  return view;
}

Array Array::stepped(int dim, std::int64_t step) const {
  Array view = *this;
  view.desc.dims[dim] = (desc.dims[dim] + step - 1) / step;
  view.desc.strides[dim] *= step;
  return view;
}

Array Array::narrowed(int dim, std::int64_t start, std::int64_t length) const {
  Array view = *this;
  view.desc.dims[dim] = length;
  view.offset += start * desc.strides[dim];
  return view;
}

Array Array::contiguous() const {
  return from(desc.dtype, desc.dims, [&](std::int64_t i) { return get(i); });
}

Array empty(DType dtype, const Dims& dims) {
  Array a;
  a.desc = {dtype, dims, contiguous_strides(dims)};
  a.buffer = guarded(static_cast<std::size_t>(dims.product()) * size_of(dtype));
  return a;
}

Array from(DType dtype, const Dims& dims, const std::function<long double(std::int64_t)>& value) {
  Array a = empty(dtype, dims);
  for (std::int64_t i = 0; i < a.numel(); ++i) a.set(i, value(i));
  return a;
}

Array random(DType dtype, const Dims& dims, std::uint32_t seed, double low, double high) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<double> uniform(low, high);
  return from(dtype, dims, [&](std::int64_t) -> long double {
    const double x = uniform(generator);
    if (dtype == DType::boolean) return x > (low + high) / 2;
    return dtype == DType::i64 ? std::round(x) : x;
  });
}

Array run(Op op, const std::vector<Operand>& operands, const Attribute& attribute, bool in_place, std::int64_t offset,
          std::int64_t seed) {
  KeyHalf key;
  KernelArgs args = arguments(operands, key, op, in_place);
  std::vector<OperandType> types;
  for (const Operand& operand : operands)
    types.push_back(operand.array ? OperandType{&operand.array->desc} : OperandType{nullptr, operand.scalar.kind});
  const ViewDesc desc = infer(op, attribute, types, in_place, {});
  Array result;
  if (in_place) {
    result = *operands[0].array;
  } else {
    result = empty(desc.dtype, desc.dims);
  }
  args.attribute = &attribute;
  args.result = {result.data(), &desc_of(intern(desc))};
  args.offset = offset;
  if (kind_of(op) == OpKind::random) args.scalar.integer = seed;
  table()[op](args);
  return result;
}

std::optional<std::string> check(Op op, const std::vector<Operand>& operands, const Attribute& attribute) {
  KeyHalf key;
  KernelArgs args = arguments(operands, key, op, false);
  args.attribute = &attribute;
  return table().check[static_cast<std::size_t>(op)](args);
}

bool same_bits(const Array& a, const Array& b) {
  if (a.desc.dtype != b.desc.dtype || !(a.desc.dims == b.desc.dims)) return false;
  for (std::int64_t i = 0; i < a.numel(); ++i) {
    const long double x = a.get(i), y = b.get(i);
    if (std::isnan(x) && std::isnan(y)) continue;
    if (x != y || std::signbit(x) != std::signbit(y)) return false;
  }
  return true;
}

double ulps(long double a, long double b, DType dtype) {
  if (!is_float(dtype)) return a == b ? 0 : 1e9;
  const long double rounded =
      dtype == DType::f32 ? static_cast<long double>(static_cast<float>(b)) : static_cast<long double>(static_cast<double>(b));
  if (std::isnan(a) || std::isnan(rounded)) return std::isnan(a) && std::isnan(rounded) ? 0 : 1e9;
  if (std::isinf(a) || std::isinf(rounded)) return a == rounded ? 0 : 1e9;
  const int digits = dtype == DType::f32 ? 23 : 52, least = dtype == DType::f32 ? -149 : -1074;
  const int exponent = b == 0 ? least : std::max(std::ilogb(b) - digits, least);
  return static_cast<double>(std::fabs(a - b) / std::ldexp(1.0L, exponent));
}

const std::vector<std::string>& isas() {
  static const std::vector<std::string> list = [] {
    std::vector<std::string> names;
    for (const char* name : {"avx512", "avx2"})
      if (use_isa(name)) names.emplace_back(name);
    use_isa(names.front().c_str());
    return names;
  }();
  return list;
}

void on_each_isa(const std::function<void(const std::string&)>& body) {
  for (const std::string& name : isas()) {
    use_isa(name.c_str());
    body(name);
  }
  use_isa(isas().front().c_str());
}

}  // namespace swage::test
