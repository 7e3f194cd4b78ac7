#include <runtime/ops/inference.hpp>

#include <algorithm>

#include <fmt/format.h>

#include <runtime/core/error.hpp>

namespace swage {
namespace {

struct Call {
  Op op;
  const Attribute& attribute;
  std::span<const OperandType> operands;
  bool in_place;
  CallSite site;

  const ViewDesc& tensor(std::size_t k) const {
    if (!operands[k].desc) raise<ValueError>(site, "[{}] operand {} must be a tensor, not a scalar", name_of(op), k);
    return *operands[k].desc;
  }
};

// More elements than any machine could address; products of extents stay far from overflowing.
void check_size(const Call& call, const Dims& dims) {
  constexpr std::int64_t kMost = std::int64_t{1} << 56;
  std::int64_t elements = 1;
  for (std::int64_t extent : dims) {
    if (extent < 0) raise<ShapeError>(call.site, "[{}] extents must not be negative: {}", name_of(call.op), to_string(dims));
    if (extent > kMost / elements)
      raise<ShapeError>(call.site, "[{}] a result of shape {} has more elements than can be addressed", name_of(call.op),
                        to_string(dims));
    elements *= std::max<std::int64_t>(extent, 1);
  }
}

ViewDesc row_major(const Call& call, DType dtype, const Dims& dims) {
  check_size(call, dims);
  return {dtype, dims, contiguous_strides(dims)};
}

// The op as the user wrote it: `add_` where it works in place, `copy_` for the op that only writes.
std::string written_name(const Call& call) {
  if (!call.in_place) return std::string(name_of(call.op));
  return fmt::format("{}_", call.op == Op::assign ? "copy" : name_of(call.op));
}

[[noreturn]] void wrong_dtype(const Call& call, DType got, std::string_view right) {
  raise<DTypeError>(call.site, "[{}] takes {}, not {}", written_name(call), right, name_of(got));
}

// The one type of all tensor operands from `first` on.
DType common_dtype(const Call& call, std::size_t first = 0) {
  const ViewDesc* seen = nullptr;
  for (std::size_t k = first; k < call.operands.size(); ++k) {
    const ViewDesc* desc = call.operands[k].desc;
    if (!desc) continue;
    if (seen && seen->dtype != desc->dtype)
      raise<DTypeError>(call.site, "[{}] operands must have one element type, not {} and {}", written_name(call),
                        name_of(seen->dtype), name_of(desc->dtype));
    seen = desc;
  }
  if (!seen) raise<ValueError>(call.site, "[{}] needs a tensor operand", written_name(call));
  return seen->dtype;
}

DType result_dtype(const Call& call) {
  switch (info(call.op).dtypes) {
    case DTypeRule::none:
    case DTypeRule::attribute:
    case DTypeRule::cast: return call.attribute.dtype;
    case DTypeRule::any: return common_dtype(call);
    case DTypeRule::arithmetic: {
      const DType dtype = common_dtype(call);
      if (dtype == DType::boolean) wrong_dtype(call, dtype, "f32, f64 or i64");
      return dtype;
    }
    case DTypeRule::floating: {
      const DType dtype = common_dtype(call);
      if (!is_float(dtype)) wrong_dtype(call, dtype, "f32 or f64");
      return dtype;
    }
    case DTypeRule::compare: {
      const DType dtype = common_dtype(call);
      if (dtype == DType::boolean) wrong_dtype(call, dtype, "f32, f64 or i64");
      return DType::boolean;
    }
    case DTypeRule::logical: {
      const DType dtype = common_dtype(call);
      if (dtype != DType::boolean) wrong_dtype(call, dtype, "bool");
      return dtype;
    }
    case DTypeRule::to_index: {
      const DType dtype = common_dtype(call);
      if (dtype == DType::boolean) wrong_dtype(call, dtype, "f32, f64 or i64");
      return DType::i64;
    }
    case DTypeRule::select:
      if (call.tensor(0).dtype != DType::boolean) wrong_dtype(call, call.tensor(0).dtype, "a bool condition");
      return common_dtype(call, 1);
    case DTypeRule::gather:
    case DTypeRule::scatter:
      if (call.tensor(1).dtype != DType::i64) wrong_dtype(call, call.tensor(1).dtype, "an i64 index");
      if (call.operands.size() == 3 && call.tensor(2).dtype != call.tensor(0).dtype)
        wrong_dtype(call, call.tensor(2).dtype, fmt::format("a source of {}", name_of(call.tensor(0).dtype)));
      if (call.op == Op::scatter_add && call.tensor(0).dtype == DType::boolean) wrong_dtype(call, DType::boolean, "numbers");
      return call.tensor(0).dtype;
  }
  return DType::f32;
}

std::string shapes(const Call& call) {
  std::string text;
  for (const OperandType& operand : call.operands) {
    if (!text.empty()) text += " and ";
    text += operand.desc ? to_string(operand.desc->dims) : "a scalar";
  }
  return text;
}

ViewDesc infer_pointwise(const Call& call) {
  Dims dims;
  bool first = true;
  for (const OperandType& operand : call.operands) {
    if (!operand.desc) continue;
    if (first)
      dims = operand.desc->dims;
    else if (!broadcast(dims, operand.desc->dims, dims))
      raise<ShapeError>(call.site, "[{}] shapes {} do not broadcast: aligned at the right, extents must be equal or 1",
                        written_name(call), shapes(call));
    first = false;
  }
  const DType dtype = result_dtype(call);
  if (!call.in_place) return row_major(call, dtype, dims);
  const ViewDesc& target = call.tensor(0);
  if (!(target.dims == dims))
    raise<ShapeError>(call.site, "[{}] cannot write a result of shape {} into a tensor of shape {}", written_name(call),
                      to_string(dims), to_string(target.dims));
  if (target.dtype != dtype)
    raise<DTypeError>(call.site, "[{}] cannot write {} into a tensor of {}", written_name(call), name_of(dtype),
                      name_of(target.dtype));
  if (target.overlaps_itself())
    raise<ValueError>(call.site, "[{}] cannot write into an expanded tensor (several elements share memory); clone it first",
                      written_name(call));
  return target;
}

ViewDesc infer_reduction(const Call& call) {
  const ViewDesc& input = call.tensor(0);
  const auto& ints = call.attribute.ints;
  if (ints.empty()) raise<ValueError>(call.site, "[{}] lacks its dimensions", name_of(call.op));
  const bool keepdim = ints[0] != 0;
  Dims dims;
  std::int64_t reduced = 1;
  for (int d = 0; d < input.rank(); ++d) {
    if (std::find(ints.begin() + 1, ints.end(), d) == ints.end()) {
      dims.push_back(input.dims[d]);
    } else {
      reduced *= input.dims[d];
      if (keepdim) dims.push_back(1);
    }
  }
  for (std::size_t i = 1; i < ints.size(); ++i) {
    if (ints[i] < 0 || ints[i] >= input.rank())
      raise<IndexError>(call.site, "[{}] dimension {} is out of range for shape {}", name_of(call.op), ints[i],
                        to_string(input.dims));
    if (i > 1 && ints[i] <= ints[i - 1]) raise<ValueError>(call.site, "[{}] a dimension is listed twice", name_of(call.op));
  }
  if (call.op == Op::argmax && ints.size() != 2)
    raise<ValueError>(call.site, "[argmax] takes exactly one dimension, not {}", ints.size() - 1);
  if (reduced == 0 && call.op != Op::sum && dims.product() != 0)
    raise<ShapeError>(call.site, "[{}] has no value over no elements: shape {}", name_of(call.op), to_string(input.dims));
  return row_major(call, result_dtype(call), dims);
}

// (…,m,k)·(…,k,n) → (…,m,n), the leading extents alike.
ViewDesc infer_matmul(const Call& call) {
  const ViewDesc &a = call.tensor(0), &b = call.tensor(1);
  const int rank = a.rank(), row = rank - 2, column = rank - 1;
  if (rank < 2 || b.rank() != rank)
    raise<ShapeError>(call.site, "[matmul] takes two matrices, or two batches of them, not {}", shapes(call));
  for (int d = 0; d < row; ++d)
    if (a.dims[d] != b.dims[d])
      raise<ShapeError>(call.site, "[matmul] batches {} and {} must have equal leading extents", to_string(a.dims),
                        to_string(b.dims));
  if (a.dims[column] != b.dims[row])
    raise<ShapeError>(call.site, "[matmul] cannot multiply {} by {}: the right operand must have {} rows", to_string(a.dims),
                      to_string(b.dims), a.dims[column]);
  Dims dims = a.dims;
  dims[column] = b.dims[column];
  return row_major(call, result_dtype(call), dims);
}

// conv2d: (input NCHW, weight OIHW) → NCHW. grad_input: (grad_output, weight) → input. grad_weight: (grad_output, input) → weight.
ViewDesc infer_conv2d(const Call& call) {
  const DType dtype = result_dtype(call);
  const ViewDesc &first = call.tensor(0), &second = call.tensor(1);
  const auto& ints = call.attribute.ints;
  const bool forward = call.op == Op::conv2d;
  if (ints.size() != (forward ? 4u : 8u)) raise<ValueError>(call.site, "[{}] lacks stride and padding", name_of(call.op));
  if (first.rank() != 4 || second.rank() != 4)
    raise<ShapeError>(call.site, "[{}] takes images N×C×H×W and weights O×C×H×W, not {}", name_of(call.op), shapes(call));
  const std::int64_t stride_h = ints[0], stride_w = ints[1], pad_h = ints[2], pad_w = ints[3];
  if (stride_h < 1 || stride_w < 1 || pad_h < 0 || pad_w < 0)
    raise<ValueError>(call.site, "[{}] stride must be at least 1 and padding at least 0", name_of(call.op));
  const Dims given = forward ? Dims{} : Dims{ints[4], ints[5], ints[6], ints[7]};
  const Dims& input = forward ? first.dims : call.op == Op::conv2d_grad_input ? given : second.dims;
  const Dims& weight = call.op == Op::conv2d_grad_weight ? given : second.dims;
  if (input[1] != weight[1])
    raise<ShapeError>(call.site, "[{}] images of {} channels ({}) need weights of {} input channels, not {}", name_of(call.op),
                      input[1], to_string(input), input[1], to_string(weight));
  const std::int64_t room_h = input[2] + 2 * pad_h - weight[2], room_w = input[3] + 2 * pad_w - weight[3];
  if (room_h < 0 || room_w < 0)
    raise<ShapeError>(call.site, "[{}] a {}×{} kernel does not fit into images of {}×{} padded by {}×{}", name_of(call.op),
                      weight[2], weight[3], input[2], input[3], pad_h, pad_w);
  const Dims output{input[0], weight[0], room_h / stride_h + 1, room_w / stride_w + 1};
  if (forward) return row_major(call, dtype, output);
  if (!(first.dims == output))
    raise<ShapeError>(call.site, "[{}] the gradient of the output must be {}, not {}", name_of(call.op), to_string(output),
                      to_string(first.dims));
  return row_major(call, dtype, given);
}

Dims dims_of(const Attribute& attribute) { return Dims(std::span(attribute.ints)); }

ViewDesc infer_view(const Call& call) {
  const ViewDesc& input = call.tensor(0);
  const auto& ints = call.attribute.ints;
  ViewDesc result = input;
  switch (call.op) {
    case Op::alias: return result;
    case Op::permute: {
      std::uint32_t seen = 0;
      for (std::int64_t d : ints)
        if (d >= 0 && d < input.rank()) seen |= 1u << d;
      if (static_cast<int>(ints.size()) != input.rank() || seen != (1u << input.rank()) - 1)
        raise<ValueError>(call.site, "[permute] needs each of the {} dimensions of shape {} once", input.rank(),
                          to_string(input.dims));
      for (int d = 0; d < input.rank(); ++d) {
        result.dims[d] = input.dims[static_cast<int>(ints[static_cast<std::size_t>(d)])];
        result.strides[d] = input.strides[static_cast<int>(ints[static_cast<std::size_t>(d)])];
      }
      return result;
    }
    case Op::reshape: {
      result.dims = dims_of(call.attribute);
      check_size(call, result.dims);
      if (result.dims.product() != input.numel())
        raise<ShapeError>(call.site, "[reshape] shape {} has {} elements, shape {} has {}", to_string(input.dims),
                          input.numel(), to_string(result.dims), result.dims.product());
      if (!reshape_strides(input, result.dims, result.strides))
        raise<ShapeError>(call.site, "[reshape] {} cannot be viewed as {} without a copy", to_string(input),
                          to_string(result.dims));
      return result;
    }
    case Op::expand: {
      const Dims dims = dims_of(call.attribute);
      check_size(call, dims);
      const int lead = dims.rank() - input.rank();
      if (lead < 0)
        raise<ShapeError>(call.site, "[expand] shape {} cannot lose dimensions: {}", to_string(input.dims), to_string(dims));
      result.dims = dims;
      result.strides = {};
      result.strides.resize(dims.rank());
      for (int d = 0; d < dims.rank(); ++d) {
        const std::int64_t extent = d < lead ? 1 : input.dims[d - lead];
        if (extent != dims[d] && extent != 1)
          raise<ShapeError>(call.site, "[expand] shape {} does not expand to {}: extents must be equal or 1",
                            to_string(input.dims), to_string(dims));
        result.strides[d] = extent == 1 && dims[d] != 1 ? 0 : d < lead ? 0 : input.strides[d - lead];
      }
      return result;
    }
    case Op::narrow: {
      if (ints.size() != 2 || ints[0] < 0 || ints[0] >= input.rank())
        raise<IndexError>(call.site, "[narrow] dimension {} is out of range for shape {}", ints.empty() ? -1 : ints[0],
                          to_string(input.dims));
      if (ints[1] < 0 || ints[1] > input.dims[static_cast<int>(ints[0])])
        raise<IndexError>(call.site, "[narrow] a length of {} does not fit dimension {} of shape {}", ints[1], ints[0],
                          to_string(input.dims));
      result.dims[static_cast<int>(ints[0])] = ints[1];
      return result;
    }
    default: fail(__FILE__, __LINE__, "{} is no view", name_of(call.op));
  }
}

ViewDesc infer_index(const Call& call) {
  const DType dtype = result_dtype(call);
  const ViewDesc &self = call.tensor(0), &index = call.tensor(1);
  const std::int64_t dim = call.attribute.ints.empty() ? -1 : call.attribute.ints[0];
  if (dim < 0 || dim >= self.rank())
    raise<IndexError>(call.site, "[{}] dimension {} is out of range for shape {}", name_of(call.op), dim, to_string(self.dims));
  bool fits = index.rank() == self.rank();
  for (int d = 0; fits && d < self.rank(); ++d) fits = d == dim || index.dims[d] <= self.dims[d];
  if (!fits)
    raise<ShapeError>(call.site,
                      "[{}] an index of shape {} does not fit shape {}: apart from dimension {}, it must not be larger",
                      name_of(call.op), to_string(index.dims), to_string(self.dims), dim);
  if (call.op == Op::gather) return row_major(call, dtype, index.dims);
  if (!(call.tensor(2).dims == index.dims))
    raise<ShapeError>(call.site, "[scatter_add] the source must have the index's shape {}, not {}", to_string(index.dims),
                      to_string(call.tensor(2).dims));
  if (!call.in_place) return row_major(call, dtype, self.dims);
  if (self.overlaps_itself())
    raise<ValueError>(call.site,
                      "[scatter_add_] cannot write into an expanded tensor (several elements share memory); clone it first");
  return self;
}

}  // namespace

ViewDesc infer(Op op, const Attribute& attribute, std::span<const OperandType> operands, bool in_place, CallSite site) {
  const Call call{op, attribute, operands, in_place, site};
  if (operands.size() != info(op).arity)
    raise<ValueError>(site, "[{}] takes {} operands, not {}", name_of(op), info(op).arity, operands.size());
  if (in_place && kind_of(op) != OpKind::pointwise && op != Op::scatter_add)
    raise<ValueError>(site, "[{}] cannot work in place", name_of(op));
  switch (kind_of(op)) {
    case OpKind::pointwise: return infer_pointwise(call);
    case OpKind::reduction: return infer_reduction(call);
    case OpKind::contraction: return op == Op::matmul ? infer_matmul(call) : infer_conv2d(call);
    case OpKind::view: return infer_view(call);
    case OpKind::index: return infer_index(call);
    case OpKind::fill:
    case OpKind::random: {
      const std::span ints(attribute.ints);
      const auto rank = static_cast<std::int64_t>(ints.size()) - 1;
      if (op == Op::iota && (rank < 0 || ints[0] < 0 || ints[0] >= rank))
        raise<IndexError>(site, "[iota] dimension {} is out of range for {} dimensions", rank < 0 ? -1 : ints[0],
                          std::max<std::int64_t>(rank, 0));
      const Dims dims(op == Op::iota ? ints.subspan(1) : ints);
      if (kind_of(op) == OpKind::random && !is_float(attribute.dtype))
        raise<DTypeError>(site, "[{}] draws f32 or f64, not {}", name_of(op), name_of(attribute.dtype));
      return row_major(call, attribute.dtype, dims);
    }
    case OpKind::structure: break;
  }
  fail(__FILE__, __LINE__, "{} is not inferred", name_of(op));
}

std::int64_t view_offset(Op op, const Attribute& attribute, const ViewDesc& operand, std::int64_t start) {
  return op == Op::narrow ? start * operand.strides[static_cast<int>(attribute.ints[0])] : 0;
}

bool reshape_strides(const ViewDesc& desc, const Dims& dims, Dims& strides) {
  strides = contiguous_strides(dims);
  if (desc.numel() == 0 || desc.contiguous()) return true;
  // Walk both shapes from the left in stretches of equal product; each stretch of the old shape must be evenly strided.
  int from = 0, to = 0;
  while (from < desc.rank() || to < dims.rank()) {
    std::int64_t have = from < desc.rank() ? desc.dims[from] : 1, want = to < dims.rank() ? dims[to] : 1;
    int from_end = from + (from < desc.rank()), to_end = to + (to < dims.rank());
    while (have != want) {
      if (have < want)
        have *= desc.dims[from_end++];
      else
        want *= dims[to_end++];
    }
    std::int64_t stride = 1;
    bool any = false;
    for (int d = from_end - 1; d >= from; --d) {  // the stretch must be one run
      if (desc.dims[d] == 1) continue;
      if (any && desc.strides[d] != stride) return false;
      if (!any) stride = desc.strides[d];
      any = true;
      stride *= desc.dims[d];
    }
    std::int64_t unit = 1;
    for (int d = from_end - 1; d >= from; --d)
      if (desc.dims[d] != 1) {
        unit = desc.strides[d];
        break;
      }
    for (int d = to_end - 1; d >= to; --d) {
      strides[d] = unit;
      unit *= dims[d];
    }
    from = from_end;
    to = to_end;
  }
  return true;
}

}  // namespace swage
