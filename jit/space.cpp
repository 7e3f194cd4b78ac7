#include <jit/space.hpp>

#include <runtime/ops/inference.hpp>

namespace swage::jit {

Dims Space::kept() const {
  Dims kept;
  for (int d = 0; d < dims.rank(); ++d)
    if (!is_reduced(d)) kept.push_back(dims[d]);
  return kept;
}

std::optional<Level> level_in(const Space& space, std::int64_t numel) {
  if (numel == space.numel()) return Level::inner;
  if (space.reduced != 0 && numel == space.kept_numel()) return Level::row;
  return std::nullopt;
}

std::vector<RecordIndex> offset_origins(const Trace& trace) {
  std::vector<RecordIndex> origins(trace.size());
  for (RecordIndex i = 0; i < trace.size(); ++i) {
    const KeyHalf& key = trace.keys[i];
    const bool follows = (kind_of(key.op) == OpKind::view && key.op != Op::narrow) || (key.in_place() && key.op != Op::input);
    origins[i] = follows ? origins[trace.operand(i, 0)] : i;
  }
  return origins;
}

std::optional<Dims> strides_over(const ViewDesc& view, const Dims& dims, const Space& space, Level level) {
  ViewDesc broadcast;
  broadcast.dtype = view.dtype;
  broadcast.dims = dims;
  broadcast.strides.resize(dims.rank());
  const int missing = dims.rank() - view.rank();
  for (int d = 0; d < view.rank(); ++d) {
    if (d + missing < 0) {
      if (view.dims[d] != 1) return std::nullopt;
      continue;
    }
    const std::int64_t extent = dims[d + missing];
    if (view.dims[d] != 1 && view.dims[d] != extent) return std::nullopt;
    broadcast.strides[d + missing] = view.dims[d] == 1 ? 0 : view.strides[d];
  }

  const Dims target = level == Level::inner ? space.dims : space.kept();
  Dims strides = broadcast.strides;
  if (dims != target && !reshape_strides(broadcast, target, strides)) return std::nullopt;
  for (int d = 0; d < target.rank(); ++d)
    if (target[d] == 1) strides[d] = 0;
  if (level == Level::inner) return strides;

  Dims spread;
  for (int d = 0, k = 0; d < space.dims.rank(); ++d) spread.push_back(space.is_reduced(d) ? 0 : strides[k++]);
  return spread;
}

std::optional<Access> access_of(const Trace& trace, const std::vector<RecordIndex>& origins, RecordIndex value,
                                const Dims& dims, const Space& space, Level level) {
  const ViewDesc& view = desc_of(trace.results[value]);
  const auto strides = strides_over(view, dims, space, level);
  if (!strides) return std::nullopt;
  return Access{trace.storages[value], origins[value], view.dtype, *strides};
}

const Dims& extents_of(const Trace& trace, RecordIndex i) {
  const RecordIndex value = kind_of(trace.keys[i].op) == OpKind::reduction ? trace.operand(i, 0) : i;
  return desc_of(trace.results[value]).dims;
}

std::uint32_t reduced_dims(const Trace& trace, RecordIndex i) {
  const Attribute& attribute = attribute_of(trace.keys[i].attr);
  std::uint32_t reduced = 0;
  for (std::size_t k = 1; k < attribute.ints.size(); ++k) reduced |= 1u << attribute.ints[k];
  return reduced;
}

}  // namespace swage::jit
