// Random programs: views, writes in place, aliases, broadcasts, reductions, library calls.
#include <test/jit/random_trace.hpp>

#include <algorithm>
#include <random>

#include <runtime/core/error.hpp>
#include <test/jit/trace_builder.hpp>

namespace swage::test {
namespace {

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : random_(seed) {
    static const Dims kShapes[] = {{4, 6, 5}, {3, 16}, {2, 3, 32},   {20},      {40, 7},      {5, 1040},   {2, 1, 48}, {17, 33},
                                   {2200},    {1, 9},  {3, 4, 8, 4}, {2100, 3}, {3, 4, 7, 7}, {6, 2, 300}, {70, 300}};
    shape_ = kShapes[pick(std::size(kShapes))];
  }

  Trace make(EscapeMask& escapes) {
    const std::size_t inputs = 2 + pick(3);
    for (std::size_t k = 0; k < inputs; ++k) add_input();
    const std::size_t ops = 3 + pick(28);
    for (std::size_t k = 0; k < ops; ++k) {
      try {
        step();
      } catch (const Error&) {  // what inference refuses is no program
      }
    }
    for (RecordIndex value : values_)
      if (pick(4) == 0) trace_.escape(value);
    trace_.escape(values_.back());
    return trace_.finish(escapes);
  }

 private:
  std::size_t pick(std::size_t n) { return random_() % n; }
  RecordIndex any() {
    return values_[pick(3) ? values_.size() - 1 - pick(std::min<std::size_t>(values_.size(), 6)) : pick(values_.size())];
  }
  DType any_dtype() { return static_cast<DType>(pick(5) ? 2 + (pick(4) == 0) : pick(4)); }
  void keep(RecordIndex value) { values_.push_back(value); }

  Dims related_shape() {
    Dims dims = shape_;
    for (int d = 0; d < dims.rank(); ++d)
      if (pick(5) == 0) dims[d] = 1;
    return pick(3) ? shape_ : dims;
  }

  void add_input() {
    const Dims dims = related_shape();
    ViewDesc desc{any_dtype(), dims, contiguous_strides(dims)};
    if (dims.rank() == 2 && pick(4) == 0) desc.strides = {1, dims[0]};
    if (!values_.empty() && pick(4) == 0) {
      const RecordIndex of = values_[pick(values_.size())];
      desc.dtype = trace_.desc(of).dtype;
      return keep(trace_.input_alias(of, desc));
    }
    keep(trace_.input(desc));
  }

  Arg any_arg(DType dtype) {
    if (pick(5) == 0) {
      const DType kind = is_float(dtype) && pick(3) ? DType::f64 : DType::i64;
      return pick(2) ? Arg::scalar_slot(kind) : Arg::scalar(kind == DType::i64 ? 2 : 0.75, kind);
    }
    for (int tries = 0; tries < 8; ++tries) {
      const RecordIndex value = any();
      if (trace_.desc(value).dtype == dtype) return value;
    }
    Attribute to;
    to.dtype = dtype;
    return trace_.op(Op::cast, {any()}, to);
  }

  void step() {
    switch (pick(12)) {
      case 0:
      case 1: return unary();
      case 2:
      case 3:
      case 4: return binary(false);
      case 5: return binary(true);
      case 6: return view();
      case 7:
      case 8: return reduction();
      case 9: return select();
      case 10: return others();
      default: return assign();
    }
  }

  void unary() {
    static const Op kOps[] = {Op::neg,  Op::abs, Op::exp,  Op::log,   Op::sqrt, Op::square, Op::tanh,       Op::sigmoid,
                              Op::relu, Op::sin, Op::copy, Op::floor, Op::sign, Op::rsqrt,  Op::reciprocal, Op::logical_not};
    const Op op = kOps[pick(std::size(kOps))];
    const RecordIndex value = any();
    const bool in_place = pick(5) == 0;
    keep(trace_.op(op, {value}, {}, in_place));
  }
  void binary(bool in_place) {
    static const Op kOps[] = {Op::add,          Op::sub,     Op::mul,     Op::div, Op::tanh_grad,
                              Op::sigmoid_grad, Op::maximum, Op::minimum, Op::add, Op::mul};
    const RecordIndex value = any();
    keep(trace_.op(kOps[pick(std::size(kOps))], {value, any_arg(trace_.desc(value).dtype)}, {}, in_place));
  }
  void assign() {
    const RecordIndex value = any();
    keep(trace_.op(Op::assign, {value, any_arg(trace_.desc(value).dtype)}, {}, true));
  }
  void select() {
    static const Op kOps[] = {Op::lt, Op::ge, Op::eq, Op::ne};
    const RecordIndex a = any();
    const DType dtype = trace_.desc(a).dtype;
    const RecordIndex mask = trace_.op(kOps[pick(4)], {a, any_arg(dtype)});
    keep(mask);
    const RecordIndex b = any();
    keep(trace_.op(Op::where, {mask, b, any_arg(trace_.desc(b).dtype)}));
  }
  void view() {
    const RecordIndex value = any();
    const Dims dims = trace_.desc(value).dims;
    std::vector<std::int64_t> ints;
    switch (pick(5)) {
      case 0: return keep(trace_.op(Op::alias, {value}));
      case 1:
        for (int d = 0; d < dims.rank(); ++d) ints.push_back(d);
        std::shuffle(ints.begin(), ints.end(), random_);
        return keep(trace_.view(Op::permute, value, ints));
      case 2:
        for (int d = 0; d < dims.rank(); ++d) ints.push_back(dims[d] == 1 ? shape_[std::min(d, shape_.rank() - 1)] : dims[d]);
        return keep(trace_.view(Op::expand, value, ints));
      case 3: {
        if (dims.empty()) return;
        const auto d = static_cast<int>(pick(static_cast<std::size_t>(dims.rank())));
        return keep(
            trace_.view(Op::narrow, value, {d, 1 + static_cast<std::int64_t>(pick(static_cast<std::size_t>(dims[d])))}));
      }
      default:
        for (std::int64_t extent : dims) ints.push_back(extent);
        if (ints.size() > 1 && pick(2)) {
          ints[ints.size() - 2] *= ints.back();
          ints.pop_back();
        } else {
          ints.insert(ints.begin() + static_cast<std::ptrdiff_t>(pick(ints.size() + 1)), 1);
        }
        return keep(trace_.view(Op::reshape, value, ints));
    }
  }
  void reduction() {
    const RecordIndex value = any();
    const Dims dims = trace_.desc(value).dims;
    std::vector<std::int64_t> reduced;
    for (int d = 0; d < dims.rank(); ++d)
      if (pick(2)) reduced.push_back(d);
    if (reduced.empty() && !dims.empty())
      reduced.push_back(static_cast<std::int64_t>(pick(static_cast<std::size_t>(dims.rank()))));
    static const Op kOps[] = {Op::sum, Op::sum, Op::amax, Op::amin, Op::argmax};
    const Op op = kOps[pick(std::size(kOps))];
    if (op == Op::argmax) reduced.resize(std::min<std::size_t>(reduced.size(), 1));
    const RecordIndex result = trace_.reduce(op, value, reduced, pick(3) != 0);
    keep(result);
    if (op != Op::argmax && pick(2)) keep(trace_.op(Op::sub, {value, result}));
  }
  void others() {
    Attribute attribute;
    attribute.dtype = DType::f32;
    for (std::int64_t extent : shape_) attribute.ints.push_back(extent);
    switch (pick(3)) {
      case 0: return keep(trace_.op(Op::full, {pick(2) ? Arg::scalar_slot() : Arg::scalar(1.5)}, attribute));
      case 1: return keep(trace_.op(Op::uniform, {}, attribute));
      default:
        attribute.ints.insert(attribute.ints.begin(), static_cast<std::int64_t>(pick(static_cast<std::size_t>(shape_.rank()))));
        attribute.dtype = pick(2) ? DType::i64 : DType::f32;
        return keep(trace_.op(Op::iota, {}, attribute));
    }
  }

  std::mt19937_64 random_;
  TraceBuilder trace_;
  std::vector<RecordIndex> values_;
  Dims shape_;
};

}  // namespace

Trace random_trace(std::uint64_t seed, EscapeMask& escapes) { return Generator(seed).make(escapes); }

}  // namespace swage::test
