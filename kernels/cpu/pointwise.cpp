// Pointwise ops over any views. Dense operands of one shape, and scalars beside them, go straight to the loop; other layouts are
// merged into as few dimensions as possible first, and rows that are not dense are packed in pieces that stay in cache.
//
// An in-place op may read its result's storage through another view too (`a.add_(a.t())`): such an operand is copied before
// anything is written, unless it is the very view that is written.
#include <kernels/cpu/pointwise.hpp>

#include <algorithm>
#include <array>
#include <optional>

#include <kernels/cpu/layout.hpp>
#include <kernels/cpu/simd_table.hpp>
#include <runtime/core/thread_pool.hpp>

namespace swage {
namespace {

constexpr std::int64_t kParallelElements = 32768;  // below, waking a thread costs more than it saves
constexpr std::int64_t kGrain = 1024;
constexpr int kViews = 4;  // the result and up to three operands

// Loops over views: view 0 is the result. Strides in bytes.
struct Nest {
  int rank = 0;
  int views = 1;
  char* data[kViews];
  std::int64_t size[kViews];
  std::int64_t dims[kMaxRank];
  std::int64_t strides[kMaxRank][kViews];
};

void add_dimensions(Nest& nest, const ViewDesc& result, const std::array<const ViewDesc*, kViews>& descs) {
  for (int d = 0; d < result.rank(); ++d) {
    if (result.dims[d] == 1) continue;
    auto& strides = nest.strides[nest.rank];
    for (int v = 0; v < nest.views; ++v) {
      strides[v] = 0;
      if (!descs[static_cast<std::size_t>(v)]) continue;
      const ViewDesc& desc = *descs[static_cast<std::size_t>(v)];
      const int own = d - (result.rank() - desc.rank());
      if (own >= 0 && desc.dims[own] != 1) strides[v] = desc.strides[own] * nest.size[v];
    }
    nest.dims[nest.rank++] = result.dims[d];
  }
}

// Orders the dimensions by the result's strides, largest first, and merges neighbours that every view walks evenly.
void merge(Nest& nest) {
  for (int i = 1; i < nest.rank; ++i)
    for (int j = i; j > 0 && nest.strides[j - 1][0] < nest.strides[j][0]; --j) {
      std::swap(nest.dims[j - 1], nest.dims[j]);
      std::swap(nest.strides[j - 1], nest.strides[j]);
    }
  int out = 0;
  for (int d = 1; d < nest.rank; ++d) {
    bool even = true;
    for (int v = 0; v < nest.views; ++v) even &= nest.strides[out][v] == nest.strides[d][v] * nest.dims[d];
    if (even) {
      nest.dims[out] *= nest.dims[d];
    } else {
      nest.dims[++out] = nest.dims[d];
    }
    std::copy(nest.strides[d], nest.strides[d] + nest.views, nest.strides[out]);
  }
  if (nest.rank > 0) nest.rank = out + 1;
  while (nest.rank < 2) {  // a row, and rows of it
    std::memmove(nest.dims + 1, nest.dims, sizeof(nest.dims[0]) * static_cast<std::size_t>(nest.rank));
    std::memmove(nest.strides + 1, nest.strides, sizeof(nest.strides[0]) * static_cast<std::size_t>(nest.rank));
    nest.dims[0] = 1;
    std::fill(nest.strides[0], nest.strides[0] + kViews, 0);
    ++nest.rank;
  }
}

template <class Word>
void move_strided(const char* from, std::int64_t from_stride, char* to, std::int64_t to_stride, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    Word word;
    std::memcpy(&word, from + i * from_stride, sizeof word);
    std::memcpy(to + i * to_stride, &word, sizeof word);
  }
}
void move(std::int64_t size, const char* from, std::int64_t from_stride, char* to, std::int64_t to_stride, std::int64_t n) {
  if (size == 4)
    move_strided<std::uint32_t>(from, from_stride, to, to_stride, n);
  else if (size == 8)
    move_strided<std::uint64_t>(from, from_stride, to, to_stride, n);
  else
    move_strided<std::uint8_t>(from, from_stride, to, to_stride, n);
}

// The two innermost dimensions, where some views (`packs`) are not dense along a row: tile by tile, each gathered into dense
// rows first. A transposed operand is gathered by cache lines, which run across the rows.
void run_packed(const Nest& nest, PointwiseLoop loop, char* const* at, const bool* packs, PointwiseRun run) {
  constexpr std::int64_t tile_rows = 16, tile_columns = 64;
  const int inner = nest.rank - 1, outer = nest.rank - 2;
  const auto& step = nest.strides[inner];
  const auto& row_step = nest.strides[outer];
  const std::int64_t rows = nest.dims[outer];
  const std::int64_t columns = rows == 1 ? tile_rows * tile_columns : tile_columns;
  alignas(64) char tiles[kViews][tile_rows * tile_columns * 8];
  for (std::int64_t begin = 0; begin < nest.dims[inner]; begin += columns)
    for (std::int64_t top = 0; top < rows; top += tile_rows) {
      run.n = std::min(columns, nest.dims[inner] - begin);
      run.rows = std::min(tile_rows, rows - top);
      char* corner[kViews];
      for (int v = 0; v < nest.views; ++v) {
        corner[v] = at[v] + top * row_step[v] + begin * step[v];
        const std::int64_t size = nest.size[v], pitch = packs[v] ? columns * size : row_step[v];
        (v == 0 ? run.out_row : run.in_row[v - 1]) = pitch;
        if (v == 0)
          run.out = packs[v] ? tiles[v] : corner[v];
        else
          run.in[v - 1] = packs[v] ? tiles[v] : corner[v];
        if (v == 0 || !packs[v]) continue;
        const auto transpose = simd().transpose[size == 4 ? static_cast<int>(DType::f32) : static_cast<int>(DType::f64)];
        if (row_step[v] == size && size != 1)
          transpose(corner[v], step[v] / size, run.rows, run.n, tiles[v], columns);
        else
          for (std::int64_t row = 0; row < run.rows; ++row)
            move(size, corner[v] + row * row_step[v], step[v], tiles[v] + row * pitch, size, run.n);
      }
      loop(run);
      if (packs[0])
        for (std::int64_t row = 0; row < run.rows; ++row)
          move(nest.size[0], tiles[0] + row * run.out_row, nest.size[0], corner[0] + row * row_step[0], step[0], run.n);
    }
}

// The two innermost dimensions.
void run_plane(const Nest& nest, PointwiseLoop loop, char* const* at) {
  const int inner = nest.rank - 1, outer = nest.rank - 2;
  const auto& step = nest.strides[inner];
  const auto& row_step = nest.strides[outer];
  const std::int64_t n = nest.dims[inner], rows = nest.dims[outer];
  bool packs[kViews], any = false;
  for (int v = 0; v < nest.views; ++v) {
    packs[v] = step[v] != nest.size[v] && (v == 0 || step[v] != 0) && n > 1;
    any |= packs[v];
  }
  PointwiseRun run;
  for (int v = 1; v < nest.views; ++v) run.fixed[v - 1] = step[v] == 0;
  if (!any) {
    run.n = n;
    run.rows = rows;
    run.out = at[0];
    run.out_row = row_step[0];
    for (int v = 1; v < nest.views; ++v) {
      run.in[v - 1] = at[v];
      run.in_row[v - 1] = row_step[v];
    }
    loop(run);
    return;
  }
  run_packed(nest, loop, at, packs, run);
}

void run_serial(const Nest& nest, PointwiseLoop loop) {
  char* at[kViews];
  std::copy(nest.data, nest.data + nest.views, at);
  std::int64_t index[kMaxRank] = {};
  for (;;) {
    run_plane(nest, loop, at);
    int d = nest.rank - 3;
    for (; d >= 0; --d) {
      for (int v = 0; v < nest.views; ++v) at[v] += nest.strides[d][v];
      if (++index[d] < nest.dims[d]) break;
      index[d] = 0;
      for (int v = 0; v < nest.views; ++v) at[v] -= nest.strides[d][v] * nest.dims[d];
    }
    if (d < 0) return;
  }
}

void run_nest(const Nest& nest, PointwiseLoop loop, std::int64_t n) {
  if (n < kParallelElements || num_threads() == 1) return run_serial(nest, loop);
  // Along the outermost dimension that is longer than 1.
  int split = 0;
  while (split + 1 < nest.rank && nest.dims[split] == 1) ++split;
  const std::int64_t grain = split == nest.rank - 1 ? kGrain : 1;
  parallel_for(nest.dims[split], grain, [&](std::int64_t begin, std::int64_t end, int) {
    Nest part = nest;
    part.dims[split] = end - begin;
    for (int v = 0; v < part.views; ++v) part.data[v] += begin * part.strides[split][v];
    run_serial(part, loop);
  });
}

void run_flat(const PointwiseRun& run, PointwiseLoop loop, int operands, const std::int64_t* size) {
  if (run.n < kParallelElements || num_threads() == 1) return loop(run);
  parallel_for(run.n, kGrain, [&](std::int64_t begin, std::int64_t end, int) {
    PointwiseRun part = run;
    part.n = end - begin;
    part.out += begin * size[0];
    for (int k = 0; k < operands; ++k)
      if (!part.fixed[k]) part.in[k] += begin * size[k + 1];
    loop(part);
  });
}

bool same_dims(const ViewDesc& a, const ViewDesc& b) { return a.dims == b.dims; }

// Whether operand k reads what the result writes, other than element for element.
bool overlaps(const KernelView& operand, const KernelView& result) {
  const auto bytes = [](const KernelView& view) {
    return view.desc->span_elements() * static_cast<std::int64_t>(size_of(view.desc->dtype));
  };
  const char* a = static_cast<const char*>(operand.data);
  const char* b = static_cast<const char*>(result.data);
  if (a + bytes(operand) <= b || b + bytes(result) <= a) return false;
  return a != b || !(*operand.desc == *result.desc);
}

PointwiseLoop loop_for(const KernelArgs& args, const OpInfo& row) {
  if (row.dtypes == DTypeRule::cast)
    return simd().cast[static_cast<int>(args.operands[0].desc->dtype)][static_cast<int>(args.result.desc->dtype)];
  DType dtype = args.result.desc->dtype;
  if (row.dtypes == DTypeRule::compare) dtype = (args.operands[0].desc ? args.operands[0].desc : args.operands[1].desc)->dtype;
  return simd().pointwise[static_cast<int>(row.op)][static_cast<int>(dtype)];
}

// The element type of operand k where it is a scalar.
DType scalar_dtype(const KernelArgs& args, const OpInfo& row, int k) {
  switch (row.dtypes) {
    case DTypeRule::compare: return args.operands[1 - k].desc->dtype;
    case DTypeRule::select: return k == 0 ? DType::boolean : args.result.desc->dtype;
    default: return args.result.desc->dtype;
  }
}

// The common case, kept short: everything dense and of one descriptor, but for scalars. Descriptors are interned, so equal ones
// are one object. False where it does not apply, with nothing done.
bool run_alike(const KernelArgs& args, const OpInfo& row, std::int64_t n) {
  const ViewDesc* const result = args.result.desc;
  const std::int64_t size = static_cast<std::int64_t>(size_of(result->dtype));
  if (row.dtypes == DTypeRule::compare || row.dtypes == DTypeRule::select || row.dtypes == DTypeRule::cast) return false;
  alignas(8) char scalars[3][8];
  PointwiseRun run;
  run.out = static_cast<char*>(args.result.data);
  run.n = n;
  for (int k = 0; k < row.arity; ++k) {
    if (args.key->operands[k].is_scalar()) {
      scalar_bytes(args, k, result->dtype, scalars[k]);
      run.in[k] = scalars[k];
      run.fixed[k] = true;
      continue;
    }
    run.in[k] = static_cast<const char*>(args.operands[k].data);
    if (args.operands[k].desc != result) return false;
    if (args.key->in_place() && run.in[k] != run.out && run.in[k] < run.out + n * size && run.out < run.in[k] + n * size)
      return false;
  }
  if (!dense(*result)) return false;
  const std::int64_t sizes[kViews] = {size, size, size, size};
  run_flat(run, simd().pointwise[static_cast<int>(row.op)][static_cast<int>(result->dtype)], row.arity, sizes);
  return true;
}

}  // namespace

void run_pointwise(const KernelArgs& args) {
  const OpInfo& row = info(args.key->op);
  const ViewDesc& result = *args.result.desc;
  const int operands = row.arity;
  const std::int64_t n = elements(result);
  if (n == 0 || run_alike(args, row, n)) return;

  alignas(8) char scalars[3][8];
  std::int64_t size[kViews] = {static_cast<std::int64_t>(size_of(result.dtype))};
  std::optional<Scratch> copies[3];
  ViewDesc copied[3];
  KernelView views[3];
  PointwiseRun run;
  run.out = static_cast<char*>(args.result.data);
  run.n = n;
  bool flat = dense(result);
  for (int k = 0; k < operands; ++k) {
    views[k] = args.operands[k];
    if (args.key->operands[k].is_scalar()) {
      const DType dtype = scalar_dtype(args, row, k);
      scalar_bytes(args, k, dtype, scalars[k]);
      views[k] = {scalars[k], nullptr};
      size[k + 1] = static_cast<std::int64_t>(size_of(dtype));
      run.fixed[k] = true;
    } else {
      size[k + 1] = static_cast<std::int64_t>(size_of(views[k].desc->dtype));
      if (k > 0 && args.key->in_place() && views[k].data != nullptr && overlaps(views[k], args.result)) {
        copied[k] = *views[k].desc;
        copied[k].strides = contiguous_strides(copied[k].dims);
        copies[k].emplace(static_cast<std::size_t>(elements(copied[k]) * size[k + 1]));
        copy_dense(views[k], copies[k]->as<void>());
        views[k] = {copies[k]->as<void>(), &copied[k]};
      }
      const ViewDesc* desc = views[k].desc;
      if (desc != &result && flat) {
        if (elements(*desc) == 1 && n > 1)
          run.fixed[k] = true;
        else
          flat = same_dims(*desc, result) && dense(*desc);
      }
    }
    run.in[k] = static_cast<const char*>(views[k].data);
  }
  const PointwiseLoop loop = loop_for(args, row);
  if (flat) return run_flat(run, loop, operands, size);

  Nest nest;
  nest.views = operands + 1;
  std::array<const ViewDesc*, kViews> descs = {&result};
  nest.data[0] = run.out;
  for (int k = 0; k < operands; ++k) {
    descs[static_cast<std::size_t>(k) + 1] = views[k].desc;
    nest.data[k + 1] = static_cast<char*>(views[k].data);
  }
  std::copy(size, size + nest.views, nest.size);
  add_dimensions(nest, result, descs);
  merge(nest);
  run_nest(nest, loop, n);
}

void copy_dense(const KernelView& from, void* to) {
  ViewDesc result = *from.desc;
  result.strides = contiguous_strides(result.dims);
  const std::int64_t n = elements(result);
  if (n == 0) return;
  Nest nest;
  nest.views = 2;
  nest.data[0] = static_cast<char*>(to);
  nest.data[1] = static_cast<char*>(from.data);
  nest.size[0] = nest.size[1] = static_cast<std::int64_t>(size_of(result.dtype));
  add_dimensions(nest, result, {&result, from.desc, nullptr, nullptr});
  merge(nest);
  run_nest(nest, simd().pointwise[static_cast<int>(Op::copy)][static_cast<int>(result.dtype)], n);
}

void run_full(const KernelArgs& args) {
  const DType dtype = args.result.desc->dtype;
  alignas(8) char scalar[8];
  scalar_bytes(args, 0, dtype, scalar);
  PointwiseRun run;
  run.out = static_cast<char*>(args.result.data);
  run.in[0] = scalar;
  run.fixed[0] = true;
  run.n = elements(*args.result.desc);
  const std::int64_t size[] = {static_cast<std::int64_t>(size_of(dtype)), 0};
  run_flat(run, simd().pointwise[static_cast<int>(Op::copy)][static_cast<int>(dtype)], 1, size);
}

}  // namespace swage
