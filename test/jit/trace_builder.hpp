// Builds traces record by record, with inference.
#pragma once

#include <span>
#include <vector>

#include <runtime/ops/inference.hpp>
#include <runtime/trace/trace.hpp>

namespace swage::test {

struct Arg {
  enum Kind { tensor, slot, literal } kind = tensor;
  RecordIndex record = 0;
  DType scalar_class = DType::f64;
  double real = 0;

  Arg(RecordIndex record) : record(record) {}
  static Arg scalar_slot(DType scalar_class = DType::f64) {
    Arg arg(0);
    arg.kind = slot;
    arg.scalar_class = scalar_class;
    return arg;
  }
  static Arg scalar(double real, DType scalar_class = DType::f64) {
    Arg arg(0);
    arg.kind = literal;
    arg.real = real;
    arg.scalar_class = scalar_class;
    return arg;
  }
};

class TraceBuilder {
 public:
  RecordIndex input(const ViewDesc& desc);
  RecordIndex input(DType dtype, const Dims& dims) { return input({dtype, dims, contiguous_strides(dims)}); }
  RecordIndex input_alias(RecordIndex of, const ViewDesc& desc);
  // Throws what inference throws, with nothing recorded.
  RecordIndex op(Op op, std::vector<Arg> args, Attribute attribute = {}, bool in_place = false);
  RecordIndex op_(Op op, std::vector<Arg> args) { return this->op(op, std::move(args), {}, true); }
  RecordIndex reduce(Op op, RecordIndex x, std::vector<std::int64_t> dims, bool keepdim);
  RecordIndex view(Op op, RecordIndex x, std::vector<std::int64_t> ints);

  const ViewDesc& desc(RecordIndex i) const { return desc_of(trace_.results[i]); }
  RecordIndex storage(RecordIndex i) const { return storages_[i]; }
  void escape(RecordIndex i) { escaping_.push_back(storages_[i]); }
  std::size_t size() const { return trace_.size(); }
  // Adds the cut.
  Trace finish(EscapeMask& escapes);

 private:
  RecordIndex push(const KeyHalf& key, DescId result);
  Trace trace_;
  std::vector<RecordIndex> storages_;
  std::vector<RecordIndex> escaping_;
};

}  // namespace swage::test
