#include <kernels/cpu/index.hpp>

#include <fmt/format.h>

#include <kernels/cpu/layout.hpp>

namespace swage {
namespace {

int dimension(const KernelArgs& args) { return static_cast<int>(args.attribute->ints[0]); }

// Calls f(index[], n elements of the innermost dimension) for each row of the index.
template <class F>
void for_rows(const ViewDesc& index, F&& f) {
  if (elements(index) == 0) return;
  std::int64_t at[kMaxRank] = {};
  const int last = index.rank() - 1;
  for (;;) {
    f(at);
    int d = last - 1;
    for (; d >= 0; --d) {
      if (++at[d] < index.dims[d]) break;
      at[d] = 0;
    }
    if (d < 0) return;
  }
}

std::int64_t offset(const ViewDesc& desc, const std::int64_t* at, int skip) {
  std::int64_t sum = 0;
  for (int d = 0; d < desc.rank() - 1; ++d)
    if (d != skip) sum += at[d] * desc.strides[d];
  return sum;
}

// Calls f(row of `moved`, row of `dense`'s element offset, stride …) so that both ops share the walk: element i of a row pairs
// moved[from + i·step + index·stride] with other[i·other_step].
template <class T, class Pair, class Row>
void walk(const ViewDesc& moved, const KernelView& index, const ViewDesc& other, int dim, Pair&& pair, Row&& row) {
  const ViewDesc& desc = *index.desc;
  if (desc.rank() == 0) {
    pair(*static_cast<const std::int64_t*>(index.data) * 0, std::int64_t{0});
    return;
  }
  const int last = desc.rank() - 1;
  const std::int64_t n = desc.dims[last];
  const std::int64_t stride = moved.strides[dim];
  const std::int64_t step = dim == last ? 0 : moved.strides[last];
  const std::int64_t index_step = desc.strides[last], other_step = other.strides[last];
  for_rows(desc, [&](const std::int64_t* at) {
    const std::int64_t from = offset(moved, at, dim), to = offset(other, at, -1);
    const std::int64_t* indices = static_cast<const std::int64_t*>(index.data) + offset(desc, at, -1);
    if (dim != last && index_step == 0 && step == 1 && other_step == 1)
      row(from + *indices * stride, to, n);
    else
      for (std::int64_t i = 0; i < n; ++i) pair(from + i * step + indices[i * index_step] * stride, to + i * other_step);
  });
}

template <class T>
void gather(const KernelArgs& args) {
  const T* in = static_cast<const T*>(args.operands[0].data);
  T* out = static_cast<T*>(args.result.data);
  walk<T>(
      *args.operands[0].desc, args.operands[1], *args.result.desc, dimension(args),
      [&](std::int64_t from, std::int64_t to) { out[to] = in[from]; },
      [&](std::int64_t from, std::int64_t to, std::int64_t n) {
        std::memcpy(out + to, in + from, static_cast<std::size_t>(n) * sizeof(T));
      });
}

template <class T>
T plus(T a, T b) {
  if constexpr (std::is_same_v<T, bool>)
    return a || b;
  else if constexpr (std::is_same_v<T, std::int64_t>)
    return static_cast<T>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
  else
    return a + b;
}

template <class T>
[[gnu::optimize("O3")]] void add_row(T* __restrict to, const T* __restrict from, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) to[i] = plus(to[i], from[i]);
}

template <class T>
void scatter_add(const KernelArgs& args) {
  if (!args.key->in_place()) copy_dense(args.operands[0], args.result.data);
  T* out = static_cast<T*>(args.result.data);
  const T* in = static_cast<const T*>(args.operands[2].data);
  walk<T>(
      *args.result.desc, args.operands[1], *args.operands[2].desc, dimension(args),
      [&](std::int64_t to, std::int64_t from) { out[to] = plus(out[to], in[from]); },
      [&](std::int64_t to, std::int64_t from, std::int64_t n) { add_row(out + to, in + from, n); });
}

}  // namespace

void run_gather(const KernelArgs& args) {
  visit(args.result.desc->dtype, [&]<class T>(T) { gather<T>(args); });
}
void run_scatter_add(const KernelArgs& args) {
  visit(args.result.desc->dtype, [&]<class T>(T) { scatter_add<T>(args); });
}

std::optional<std::string> check_index(const KernelArgs& args) {
  const ViewDesc& operand = *args.operands[0].desc;
  const ViewDesc& index = *args.operands[1].desc;
  const std::int64_t extent = operand.rank() == 0 ? 1 : operand.dims[dimension(args)];
  const std::int64_t* data = static_cast<const std::int64_t*>(args.operands[1].data);
  if (index.rank() == 0) {
    if (*data == 0) return std::nullopt;
    return fmt::format("index {} is outside [0, 1)", *data);
  }
  const int last = index.rank() - 1;
  // A broadcast index is read once.
  const std::int64_t n = index.strides[last] == 0 && index.dims[last] > 0 ? 1 : index.dims[last];
  std::optional<std::string> problem;
  for_rows(index, [&](const std::int64_t* at) {
    const std::int64_t* row = data + offset(index, at, -1);
    for (std::int64_t i = 0; i < n && !problem; ++i) {
      const std::int64_t value = row[i * index.strides[last]];
      if (value >= 0 && value < extent) continue;
      std::string position;
      for (int d = 0; d < last; ++d) position += fmt::format("{}, ", at[d]);
      problem = fmt::format("index {} at position [{}{}] is outside [0, {}) of dimension {}", value, position, i, extent,
                            dimension(args));
    }
  });
  return problem;
}

}  // namespace swage
