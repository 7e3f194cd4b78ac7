// Products of our own: for small f32 ones, where a library call costs more than the work, and for f64. Each element of the
// result of gemm is one chain of fma over ascending k from zero, whatever the blocking, so bits depend on nothing else.
#include <kernels/cpu/simd/lanes.hpp>
#include <kernels/cpu/simd/pointwise.hpp>
#include <kernels/cpu/simd/transpose.hpp>

namespace swage::SWAGE_SIMD {
namespace {

constexpr std::int64_t kDepth = 256;  // of a packed panel: panel and rows of a stay in the second-level cache
constexpr int kMaxRows = kVectorBytes == 64 ? 8 : 4;
constexpr int kDotLanes = 16;

std::int64_t least(std::int64_t a, std::int64_t b) { return a < b ? a : b; }

template <int half, class V>
typename V::Element fold(V x) {
  if constexpr (half >= 1) {
    return fold<half / 2>(x + rotate<half>(x));
  } else {
    return x.v[0];
  }
}

// A tile of `rows` × (`registers` · lanes); `b` is a panel with `b_row` elements from row to row, readable to its full width.
template <class V, int rows, int registers>
void tile(const GemmRun& run, const typename V::Element* a, const typename V::Element* b, std::int64_t b_row,
          std::int64_t depth, typename V::Element* c, std::int64_t width, bool accumulate) {
  using T = typename V::Element;
  V sum[rows][registers];
  for (int i = 0; i < rows; ++i)
    for (int r = 0; r < registers; ++r) {
      const int left = static_cast<int>(width - r * V::kLanes);
      T* p = c + i * run.c_row + r * V::kLanes;
      sum[i][r] = !accumulate || left <= 0 ? V::splat(0) : left >= V::kLanes ? V::load(p) : load_first<V>(p, left);
    }
  for (std::int64_t p = 0; p < depth; ++p) {
    V row[registers];
    for (int r = 0; r < registers; ++r) row[r] = V::load(b + p * b_row + r * V::kLanes);
    for (int i = 0; i < rows; ++i) {
      const V x = V::broadcast(a[i * run.a_row + p * run.a_col]);
      for (int r = 0; r < registers; ++r) sum[i][r] = fma(x, row[r], sum[i][r]);
    }
  }
  for (int i = 0; i < rows; ++i)
    for (int r = 0; r < registers; ++r) {
      const int left = static_cast<int>(width - r * V::kLanes);
      T* p = c + i * run.c_row + r * V::kLanes;
      if (left >= V::kLanes)
        sum[i][r].store(p);
      else if (left > 0)
        store_first(sum[i][r], p, left);
    }
}

// Copies `depth` × `width` of b into rows of `panel` elements; the rest of each row is zero.
template <class T>
void pack(const T* b, std::int64_t b_row, std::int64_t b_col, std::int64_t depth, int width, int panel, T* out) {
  if (width < panel)
    for (std::int64_t p = 0; p < depth; ++p)
      for (int j = width; j < panel; ++j) out[p * panel + j] = 0;
  if (b_col == 1) {
    using V = Number<T>;
    for (std::int64_t p = 0; p < depth; ++p) {
      int j = 0;
      for (; j + V::kLanes <= width; j += V::kLanes) V::load(b + p * b_row + j).store(out + p * panel + j);
      if (j < width) load_first<V>(b + p * b_row + j, width - j).store(out + p * panel + j);
    }
    return;
  }
  if (b_row == 1) return transpose(b, b_col, depth, width, out, panel);
  for (int j = 0; j < width; ++j)
    for (std::int64_t p = 0; p < depth; ++p) out[p * panel + j] = b[p * b_row + j * b_col];
}

template <class V, int registers, int rows>
void row_tiles(const GemmRun& run, const typename V::Element* a, const typename V::Element* b, std::int64_t b_row,
               std::int64_t depth, typename V::Element* c, std::int64_t width, bool accumulate, std::int64_t m) {
  for (; m >= rows; m -= rows) {
    tile<V, rows, registers>(run, a, b, b_row, depth, c, width, accumulate);
    a += rows * run.a_row;
    c += rows * run.c_row;
  }
  if constexpr (rows > 1) {
    if (m > 0) row_tiles<V, registers, rows / 2>(run, a, b, b_row, depth, c, width, accumulate, m);
  }
}

// Columns [j, j + width) of the result, width ≤ registers · lanes.
template <class V, int registers, int rows>
void panel(const GemmRun& run, std::int64_t j, std::int64_t width) {
  using T = typename V::Element;
  constexpr int kPanel = registers * V::kLanes;
  alignas(64) T packed[kDepth * kPanel];
  const T* a = static_cast<const T*>(run.a);
  const T* b = static_cast<const T*>(run.b);
  for (std::int64_t p = 0; p < run.k; p += kDepth) {
    const std::int64_t depth = least(run.k - p, kDepth);
    const T* from = b + p * run.b_row + j * run.b_col;
    std::int64_t from_row = run.b_row;
    if (run.b_col != 1 || width < kPanel || run.m > 4 * rows) {
      pack(from, run.b_row, run.b_col, depth, static_cast<int>(width), kPanel, packed);
      from = packed;
      from_row = kPanel;
    }
    row_tiles<V, registers, rows>(run, a + p * run.a_col, from, from_row, depth, static_cast<T*>(run.c) + j, width,
                                  run.accumulate || p > 0, run.m);
  }
}

// Few rows take wide tiles, so that enough chains of fma run side by side.
template <class V, int widest, int rows>
void panels(const GemmRun& run) {
  for (std::int64_t j = 0; j < run.n;) {
    const std::int64_t left = run.n - j;
    if (left > (widest - 1) * V::kLanes) {
      panel<V, widest, rows>(run, j, least(left, widest * V::kLanes));
      j += widest * V::kLanes;
    } else if (left > V::kLanes) {
      panel<V, 2, rows>(run, j, least(left, 2 * V::kLanes));
      j += 2 * V::kLanes;
    } else {
      panel<V, 1, rows>(run, j, left);
      j += V::kLanes;
    }
  }
}

template <class V>
void gemm(const GemmRun& given) {
  GemmRun run = given;
  // A column as result is a row of the transposed product: neighbours in memory fill the registers.
  if (run.n == 1 && run.c_row == 1 && run.m > 1) {
    run = {1,       given.m,     given.k,     given.b, given.b_col, given.b_row,
           given.a, given.a_col, given.a_row, given.c, given.m,     given.accumulate};
  }
  if (run.m <= kMaxRows / 2)
    panels<V, 4, kMaxRows / 2>(run);
  else
    panels<V, 3, kMaxRows>(run);
}

// c[j] = Σ a[p]·b[p, j] for one row of a and dense columns of b: 16 lanes over p, lane p mod 16, folded by halving.
template <class V>
void dots(const GemmRun& run) {
  using T = typename V::Element;
  constexpr int registers = kDotLanes / V::kLanes, at_once = 4;
  const T* a = static_cast<const T*>(run.a);
  const T* b = static_cast<const T*>(run.b);
  T* c = static_cast<T*>(run.c);
  for (std::int64_t j = 0; j < run.n; j += at_once) {
    const int columns = static_cast<int>(least(run.n - j, at_once));
    const T* column[at_once];
    for (int i = 0; i < at_once; ++i) column[i] = b + (j + (i < columns ? i : 0)) * run.b_col;
    V sum[at_once][registers];
    for (auto& lanes : sum)
      for (V& lane : lanes) lane = V::splat(0);
    std::int64_t p = 0;
    for (; p + kDotLanes <= run.k; p += kDotLanes)
      for (int r = 0; r < registers; ++r) {
        const V x = V::load(a + p + r * V::kLanes);
        for (int i = 0; i < at_once; ++i) sum[i][r] = fma(x, V::load(column[i] + p + r * V::kLanes), sum[i][r]);
      }
    for (int r = 0; r < registers && p < run.k; ++r, p += V::kLanes) {
      const int left = static_cast<int>(least(run.k - p, V::kLanes));
      const V x = left == V::kLanes ? V::load(a + p) : load_first<V>(a + p, left);
      for (int i = 0; i < at_once; ++i)
        sum[i][r] = fma(x, left == V::kLanes ? V::load(column[i] + p) : load_first<V>(column[i] + p, left), sum[i][r]);
    }
    for (int i = 0; i < columns; ++i) {
      for (int half = registers / 2; half >= 1; half /= 2)
        for (int r = 0; r < half; ++r) sum[i][r] = sum[i][r] + sum[i][r + half];
      c[j + i] = fold<V::kLanes / 2>(sum[i][0]);
    }
  }
}

}  // namespace

void fill_gemm(SimdTable& table) {
  table.gemm[static_cast<int>(DType::f32)] = gemm<F32>;
  table.gemm[static_cast<int>(DType::f64)] = gemm<F64>;
  table.dots[static_cast<int>(DType::f32)] = dots<F32>;
  table.dots[static_cast<int>(DType::f64)] = dots<F64>;
}

}  // namespace swage::SWAGE_SIMD
