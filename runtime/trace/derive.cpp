#include <runtime/trace/derive.hpp>

#include <algorithm>
#include <bit>
#include <cmath>

#include <runtime/core/error.hpp>
#include <runtime/ops/inference.hpp>
#include <runtime/trace/family.hpp>

namespace swage {
namespace {

// A line through two known numbers, read at a third place: got = a + (b − a) · rise / run, in whole numbers.
class Line {
 public:
  // The place is where a number that is `a` and `b` in the known members is `got`.
  void place(std::int64_t a, std::int64_t b, std::int64_t got) {
    rise_ = got - a;
    run_ = b - a;
  }
  bool placed() const { return run_ != 0; }

  std::optional<std::int64_t> at(std::int64_t a, std::int64_t b) const {
    if (a == b) return a;
    std::int64_t scaled = 0;
    if (run_ == 0 || __builtin_mul_overflow(b - a, rise_, &scaled) || scaled % run_ != 0) return std::nullopt;
    return a + scaled / run_;
  }

 private:
  std::int64_t rise_ = 0, run_ = 0;
};

// What a literal may be made of, and back: an integer k itself, 1/k or k/(k − 1). Nothing where no integer gives these very bits.
struct LiteralForm {
  double (*from)(double k);
  double (*to)(double literal);
};
constexpr LiteralForm kForms[] = {
    {[](double k) { return k; }, [](double x) { return x; }},
    {[](double k) { return 1.0 / k; }, [](double x) { return 1.0 / x; }},
    {[](double k) { return k / (k - 1.0); }, [](double x) { return x / (x - 1.0); }},
};

std::optional<double> literal_at(const Line& line, double a, double b) {
  if (std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b)) return a;
  for (const LiteralForm& form : kForms) {
    const double ka = std::round(form.to(a)), kb = std::round(form.to(b));
    if (!(std::fabs(ka) < 0x1p53 && std::fabs(kb) < 0x1p53) || form.from(ka) != a || form.from(kb) != b) continue;
    if (const auto k = line.at(static_cast<std::int64_t>(ka), static_cast<std::int64_t>(kb)))
      return form.from(static_cast<double>(*k));
  }
  return std::nullopt;
}

bool dims_at(const Line& line, const Dims& a, const Dims& b, Dims& result) {
  if (a.rank() != b.rank()) return false;
  result = a;
  for (int d = 0; d < a.rank(); ++d) {
    const auto number = line.at(a[d], b[d]);
    if (!number || *number < 0) return false;
    result[d] = *number;
  }
  return true;
}

// The descriptor of an input. Row-major data stays row-major, though its strides may be products.
std::optional<DescId> desc_at(const Line& line, DescId a, DescId b) {
  if (a == b) return a;
  const ViewDesc &was = desc_of(a), &is = desc_of(b);
  ViewDesc desc;
  desc.dtype = was.dtype;
  if (was.dtype != is.dtype || !dims_at(line, was.dims, is.dims, desc.dims)) return std::nullopt;
  if (was.strides == contiguous_strides(was.dims) && is.strides == contiguous_strides(is.dims))
    desc.strides = contiguous_strides(desc.dims);
  else if (!dims_at(line, was.strides, is.strides, desc.strides))
    return std::nullopt;
  return intern(desc);
}

std::optional<AttrId> attribute_at(const Line& line, Op op, AttrId a, AttrId b) {
  if (a == b) return a;
  Attribute attribute = attribute_of(a);
  const Attribute& other = attribute_of(b);
  if (attribute.dtype != other.dtype || attribute.ints.size() != other.ints.size()) return std::nullopt;
  for (std::size_t k = 0; k < attribute.ints.size(); ++k) {
    const auto number = line.at(attribute.ints[k], other.ints[k]);
    if (!number || (attribute.ints[k] != other.ints[k] && !is_extent(op, k))) return std::nullopt;
    attribute.ints[k] = *number;
  }
  const auto real = literal_at(line, attribute.real, other.real);
  if (!real) return std::nullopt;
  attribute.real = *real;
  return intern(attribute);
}

// What the changed input says about the extent. False where it differs otherwise than the members do.
bool find_line(const KeyHalf& a, const KeyHalf& b, const KeyHalf& got, Line& line) {
  const ViewDesc &was = desc_of(a.operands[0].desc), &is = desc_of(b.operands[0].desc), &wanted = desc_of(got.operands[0].desc);
  for (int d = 0; d < was.rank(); ++d)
    if (was.dims[d] != is.dims[d] && !line.placed()) line.place(was.dims[d], is.dims[d], wanted.dims[d]);
  return line.placed() && desc_at(line, a.operands[0].desc, b.operands[0].desc) == got.operands[0].desc;
}

std::optional<DescId> infer_at(const Trace& trace, RecordIndex i) {
  const KeyHalf& key = trace.keys[i];
  OperandType types[3];
  for (int k = 0; k < key.n_operands; ++k) {
    if (key.operands[k].is_tensor())
      types[k].desc = &desc_of(key.operands[k].desc);
    else
      types[k].scalar = static_cast<DType>(key.operands[k].desc);
  }
  try {
    return intern(infer(key.op, attribute_of(key.attr), std::span(types, key.n_operands), key.in_place(), {}));
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

RecordIndex first_difference(const Trace& a, const Trace& b) {
  const auto [in_a, in_b] = std::ranges::mismatch(a.keys, b.keys);
  return static_cast<RecordIndex>(in_a - a.keys.begin());
}

std::optional<Trace> derive(const Trace& a, const Trace& b, RecordIndex at, const KeyHalf& got) {
  Line line;
  if (at >= a.size() || at >= b.size() || got.op != Op::input || !same_family({&a.keys[at], 1}, {&got, 1})) return std::nullopt;
  if (!same_family(a.keys, b.keys) || first_difference(a, b) != at) return std::nullopt;
  if (!find_line(a.keys[at], b.keys[at], got, line)) return std::nullopt;

  Trace trace;
  trace.sites = a.sites;
  trace.keys.assign(a.keys.begin(), a.keys.begin() + at);
  trace.results.assign(a.results.begin(), a.results.begin() + at);
  for (RecordIndex i = at; i < a.size(); ++i) {
    KeyHalf key = i == at ? got : a.keys[i];
    if (i > at && key.op == Op::input) {
      const auto desc = desc_at(line, key.operands[0].desc, b.keys[i].operands[0].desc);
      if (!desc) return std::nullopt;
      key.operands[0].desc = *desc;
    }
    trace.keys.push_back(key);
    if (key.op == Op::input || key.op == Op::cut) {
      trace.results.push_back(key.op == Op::input ? key.operands[0].desc : a.results[i]);
      continue;
    }
    const auto attribute = attribute_at(line, key.op, key.attr, b.keys[i].attr);
    if (!attribute) return std::nullopt;
    KeyHalf& made = trace.keys.back();
    made.attr = *attribute;
    for (int k = 0; k < made.n_operands; ++k)
      if (made.operands[k].is_tensor()) made.operands[k].desc = trace.results[trace.operand(i, k)];
    const auto result = made == a.keys[i] ? std::optional(a.results[i]) : infer_at(trace, i);
    if (!result) return std::nullopt;
    trace.results.push_back(*result);
  }
  if (!same_family(trace.keys, a.keys)) return std::nullopt;
  complete(trace);
  return trace;
}

}  // namespace swage
