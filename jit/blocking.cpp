#include <jit/blocking.hpp>

#include <algorithm>
#include <numeric>

#include <kernels/cpu/convolution.hpp>

namespace swage::jit {
namespace {

constexpr int kRank = 4;  // images × channels × height × width

class Blocker {
 public:
  Blocker(const Trace& trace, const EscapeMask& escapes, std::int64_t block)
      : trace_(trace), escapes_(escapes), block_(block), parent_(trace.size()), plain_(trace.size()), gains_(trace.size()) {
    std::iota(parent_.begin(), parent_.end(), RecordIndex{0});
  }

  std::optional<Trace> run() {
    for (RecordIndex i = 0; i < trace_.size(); ++i)
      if (trace_.keys[i].op != Op::cut) constrain(i);
    for (RecordIndex i = 0; i < trace_.size(); ++i) {
      const RecordIndex root = find(i);
      plain_[root] = plain_[root] || plain_[i];
      gains_[root] = gains_[root] || gains_[i];
    }
    bool any = false;
    for (RecordIndex i = 0; i < trace_.size(); ++i) any = any || blocked(i);
    if (!any) return std::nullopt;
    Trace result = trace_;
    for (RecordIndex i = 0; i < trace_.size(); ++i)
      if (trace_.keys[i].op != Op::cut) rewrite(result, i);
    return result;
  }

 private:
  const ViewDesc& desc(RecordIndex i) const { return desc_of(trace_.results[i]); }
  bool shaped(RecordIndex i) const { return desc(i).rank() == kRank; }
  // Whether both layouts put the elements in the same order.
  static bool orderless(const Dims& dims) { return dims[1] == 1 || dims[2] * dims[3] == 1; }

  RecordIndex find(RecordIndex i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  void tie(RecordIndex a, RecordIndex b) { parent_[find(a)] = find(b); }
  void keep_plain(RecordIndex i) { plain_[i] = true; }
  bool blocked(RecordIndex i) {
    const RecordIndex root = find(i);
    return trace_.keys[i].op != Op::cut && shaped(i) && gains_[root] && !plain_[root];
  }

  template <class F>
  void each_operand(RecordIndex i, F&& f) const {
    for (int k = 0; k < trace_.keys[i].n_operands; ++k)
      if (trace_.keys[i].operands[k].is_tensor() && trace_.keys[i].op != Op::input) f(k, trace_.operand(i, k));
  }

  // What record `i` demands of its result and its operands.
  void constrain(RecordIndex i) {
    const KeyHalf& key = trace_.keys[i];
    if (shaped(i)) {
      const Dims& dims = desc(i).dims;
      const bool outside = trace_.is_input(i) || (trace_.storages[i] == i && escapes_.test(i));
      if (desc(i).numel() == 0 || (dims[1] != 1 && dims[1] % block_ != 0) || (outside && !orderless(dims))) keep_plain(i);
    }
    switch (kind_of(key.op)) {
      case OpKind::structure: return;
      case OpKind::pointwise: return constrain_pointwise(i);
      case OpKind::reduction: return constrain_reduction(i);
      case OpKind::contraction: return constrain_contraction(i);
      case OpKind::view: return constrain_view(i);
      default:
        if (key.op == Op::full) return;
        all_plain(i);
    }
  }

  void all_plain(RecordIndex i) {
    keep_plain(i);
    each_operand(i, [&](int, RecordIndex operand) { keep_plain(operand); });
  }

  void constrain_pointwise(RecordIndex i) {
    each_operand(i, [&](int, RecordIndex operand) {
      if (shaped(i) && shaped(operand))
        tie(i, operand);
      else if (shaped(operand) || desc(operand).numel() != 1)
        keep_plain(shaped(operand) ? operand : i);
    });
  }

  void constrain_reduction(RecordIndex i) {
    const RecordIndex operand = trace_.operand(i, 0);
    if (!shaped(operand)) return keep_plain(i);
    const std::vector<std::int64_t>& ints = attribute_of(trace_.keys[i].attr).ints;
    const auto reduces = [&](int d) { return std::find(ints.begin() + 1, ints.end(), d) != ints.end(); };
    const auto gone = [&](int d) { return reduces(d) || desc(operand).dims[d] == 1; };
    if (reduces(1) || trace_.keys[i].op == Op::argmax) return all_plain(i);
    if (ints[0] != 0)
      tie(i, operand);
    else if (!gone(2) || !gone(3))
      all_plain(i);
  }

  // Convolutions take either layout of each activation; weights are plain.
  void constrain_contraction(RecordIndex i) {
    if (trace_.keys[i].op == Op::matmul || desc(i).dtype != DType::f32) return all_plain(i);
    const bool gives_weight = trace_.keys[i].op == Op::conv2d_grad_weight;
    const auto activation = [&](RecordIndex value) {
      const ViewDesc& view = desc(value);
      if (!view.contiguous() || view.dims[1] % block_ != 0)
        keep_plain(value);
      else if (!orderless(view.dims))
        gains_[value] = true;
    };
    each_operand(i, [&](int k, RecordIndex operand) { k == 0 || gives_weight ? activation(operand) : keep_plain(operand); });
    gives_weight ? keep_plain(i) : activation(i);
  }

  void constrain_view(RecordIndex i) {
    const RecordIndex operand = trace_.operand(i, 0);
    const Op op = trace_.keys[i].op;
    const bool same = shaped(i) && shaped(operand) && desc(i).dims == desc(operand).dims;
    if (op == Op::alias || (op == Op::expand && shaped(operand) && shaped(i)) || (op == Op::reshape && same)) {
      if (shaped(i)) tie(i, operand);
    } else if (op == Op::reshape) {
      if (shaped(i) && !orderless(desc(i).dims)) keep_plain(i);
      if (shaped(operand) && !orderless(desc(operand).dims)) keep_plain(operand);
    } else {
      all_plain(i);
    }
  }

  Dims split(const Dims& dims) const {
    const std::int64_t inner = dims[1] == 1 ? 1 : block_;
    return {dims[0], dims[1] / inner, dims[2], dims[3], inner};
  }

  // The same memory, seen with the channels in blocks.
  ViewDesc seen_in_blocks(const ViewDesc& view) const {
    const std::int64_t channel = view.strides[1];
    return {view.dtype, split(view.dims), {view.strides[0], block_ * channel, view.strides[2], view.strides[3], channel}};
  }

  void rewrite(Trace& result, RecordIndex i) {
    KeyHalf& key = result.keys[i];
    each_operand(i, [&](int k, RecordIndex operand) { key.operands[k].desc = result.results[operand]; });
    if (!blocked(i)) return;
    const Dims dims = split(desc(i).dims);
    ViewDesc view{desc(i).dtype, dims, contiguous_strides(dims)};
    if (key.in_place()) {
      view = desc_of(result.results[trace_.operand(i, 0)]);
    } else if (kind_of(key.op) == OpKind::view) {
      const RecordIndex operand = trace_.operand(i, 0);
      const ViewDesc& from = desc_of(result.results[operand]);
      if (from.dims == dims) {
        view = from;
      } else if (key.op == Op::reshape) {
        view = seen_in_blocks(desc(i));
      } else {
        for (int d = 0; d < dims.rank(); ++d) view.strides[d] = from.dims[d] == 1 ? 0 : from.strides[d];
      }
    } else if (trace_.is_input(i)) {
      view = seen_in_blocks(desc(i));
    }
    result.results[i] = intern(view);
    if (trace_.is_input(i)) key.operands[0].desc = result.results[i];
    if (key.op == Op::reshape || key.op == Op::expand || key.op == Op::full) {
      Attribute attribute = attribute_of(key.attr);
      attribute.ints.assign(dims.begin(), dims.end());
      key.attr = intern(attribute);
    }
  }

  const Trace& trace_;
  const EscapeMask& escapes_;
  std::int64_t block_;
  std::vector<RecordIndex> parent_;  // by record: values that are tied together
  std::vector<bool> plain_, gains_;  // by record, then by root
};

}  // namespace

std::optional<Trace> block_convolutions(const Trace& trace, const EscapeMask& escapes, std::int64_t block) {
  return Blocker(trace, escapes, block).run();
}

Trace in_best_layouts(const Trace& trace, const EscapeMask& escapes) {
  const std::int64_t block = convolution_block();
  if (block == 0) return trace;
  auto blocked = block_convolutions(trace, escapes, block);
  if (blocked) return std::move(*blocked);
  return trace;
}

}  // namespace swage::jit
