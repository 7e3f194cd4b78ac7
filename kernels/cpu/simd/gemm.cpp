// All products. Each element of the result of gemm is one chain of fma over ascending k from zero, whatever the blocking, so bits
// depend on nothing else: not on layouts, threads, neighbours, nor on the side of a tile that an operand is on.
#include <kernels/cpu/simd/lanes.hpp>
#include <kernels/cpu/simd/pointwise.hpp>
#include <kernels/cpu/simd/transpose.hpp>

namespace swage::SWAGE_SIMD {
namespace {

constexpr std::int64_t kDepth = 256;  // of a packed panel: panel and rows of a stay in the second-level cache
constexpr int kMaxRows = kVectorBytes == 64 ? 8 : 4;
constexpr std::int64_t kBlockRows = 16;  // of a, that meet all panels in turn
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

// Lines of memory that will be needed soon, asked for a few at a time between the steps of a tile: operands come from caches that
// are slower than the arithmetic, along strides that the machine does not foresee.
class Ahead {
 public:
  // `rows` stretches of `bytes`, `step` bytes from one to the next, spread over the next `chunks` calls.
  void aim(const void* base, std::int64_t rows, std::int64_t step, std::int64_t bytes, std::int64_t chunks) {
    row_ = static_cast<const char*>(base);
    rows_ = rows;
    step_ = step;
    lines_ = (static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(base) % kLine) + bytes + kLine - 1) / kLine;
    line_ = 0;
    share_ = (rows * lines_ + chunks - 1) / chunks;
  }
  void ask() {
    for (std::int64_t left = share_; left > 0 && rows_ > 0; --left) {
      __builtin_prefetch(row_ + line_ * kLine);
      if (++line_ < lines_) continue;
      line_ = 0;
      row_ += step_;
      --rows_;
    }
  }

 private:
  static constexpr std::int64_t kLine = 64;
  const char* row_ = nullptr;
  std::int64_t rows_ = 0, step_ = 0, lines_ = 0, line_ = 0, share_ = 0;
};

constexpr std::int64_t kChunk = 16;  // steps of a tile between two calls
struct Aheads {
  Ahead a, b, c;
};

// A tile of `rows` × (`registers` · lanes); `b` is a panel with `b_row` elements from row to row, readable to its full width.
template <class V, int rows, int registers>
[[gnu::always_inline]] inline void tile(const GemmRun& run, const typename V::Element* a, const typename V::Element* b,
                                        std::int64_t b_row, std::int64_t depth, typename V::Element* c, std::int64_t width,
                                        bool accumulate, Aheads* aheads) {
  using T = typename V::Element;
  V sum[rows][registers];
  for (int i = 0; i < rows; ++i)
    for (int r = 0; r < registers; ++r) {
      const int left = static_cast<int>(width - r * V::kLanes);
      T* p = c + i * run.c_row + r * V::kLanes;
      sum[i][r] = !accumulate || left <= 0 ? V::splat(0) : left >= V::kLanes ? V::load(p) : load_first<V>(p, left);
    }
  for (std::int64_t p = 0; p < depth;) {
    const std::int64_t stop = aheads ? least(p + kChunk, depth) : depth;
    if (aheads) {
      aheads->a.ask();
      aheads->b.ask();
      aheads->c.ask();
    }
    for (; p < stop; ++p) {
      V row[registers];
      for (int r = 0; r < registers; ++r) row[r] = V::load(b + p * b_row + r * V::kLanes);
      for (int i = 0; i < rows; ++i) {
        const V x = V::broadcast(a[i * run.a_row + p * run.a_col]);
        for (int r = 0; r < registers; ++r) sum[i][r] = fma(x, row[r], sum[i][r]);
      }
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
      for (; j + V::kLanes <= width; j += V::kLanes) {
        asm volatile("");  // else GCC calls memcpy for three vectors, or copies them by `rep movs`: 36 cycles
        V::load(b + p * b_row + j).store(out + p * panel + j);
      }
      if (j < width) load_first<V>(b + p * b_row + j, width - j).store(out + p * panel + j);
    }
    return;
  }
  if (b_row == 1) return transpose(b, b_col, depth, width, out, panel);
  for (int j = 0; j < width; ++j)
    for (std::int64_t p = 0; p < depth; ++p) out[p * panel + j] = b[p * b_row + j * b_col];
}

// Apart from the loops around it, whose variables would take the registers of the one inside.
template <class V, int rows, int registers>
[[gnu::noinline]] void asking_tile(const GemmRun& run, const typename V::Element* a, const typename V::Element* b,
                                   std::int64_t b_row, std::int64_t depth, typename V::Element* c, std::int64_t width,
                                   bool accumulate, Aheads& aheads) {
  tile<V, rows, registers>(run, a, b, b_row, depth, c, width, accumulate, &aheads);
}

template <class V, int registers, int rows, bool asks = false>
void row_tiles(const GemmRun& run, const typename V::Element* a, const typename V::Element* b, std::int64_t b_row,
               std::int64_t depth, typename V::Element* c, std::int64_t width, bool accumulate, std::int64_t m,
               Aheads* aheads = nullptr) {
  for (; m >= rows; m -= rows) {
    if constexpr (asks)
      asking_tile<V, rows, registers>(run, a, b, b_row, depth, c, width, accumulate, *aheads);
    else
      tile<V, rows, registers>(run, a, b, b_row, depth, c, width, accumulate, nullptr);
    a += rows * run.a_row;
    c += rows * run.c_row;
  }
  if constexpr (rows > 1) {
    if (m > 0) row_tiles<V, registers, rows / 2, asks>(run, a, b, b_row, depth, c, width, accumulate, m, aheads);
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

// How a row of panels is cut: all of three registers but the last two.
template <class V, class F>
void for_panels(std::int64_t n, F&& f) {
  for (std::int64_t j = 0; j < n;) {
    const std::int64_t left = n - j, registers = (left + V::kLanes - 1) / V::kLanes;
    const std::int64_t taken = registers >= 3 && registers != 4 ? 3 : registers >= 2 ? 2 : 1;
    f(j, least(left, taken * V::kLanes), static_cast<int>(taken));
    j += taken * V::kLanes;
  }
}

// Copies rows [i, i + rows) × [p, p + depth) of a into rows of kBlockRows elements, one for each p.
template <class V>
void pack_rows(const GemmRun& run, std::int64_t i, std::int64_t rows, std::int64_t p, std::int64_t depth,
               typename V::Element* out) {
  using T = typename V::Element;
  const T* a = static_cast<const T*>(run.a) + i * run.a_row + p * run.a_col;
  if (run.a_row != 1) {
    for (std::int64_t q = 0; q < depth; ++q)
      for (std::int64_t r = 0; r < rows; ++r) out[q * kBlockRows + r] = a[r * run.a_row + q * run.a_col];
    return;
  }
  for (std::int64_t q = 0; q < depth; ++q, a += run.a_col, out += kBlockRows)
    for (std::int64_t r = 0; r < rows; r += V::kLanes) {
      const int left = static_cast<int>(rows - r);
      (left >= V::kLanes ? V::load(a + r) : load_first<V>(a + r, left)).store(out + r);
    }
}

// Large products. A slice of b is packed once into panels that stay in the second-level cache, then each block of rows of a,
// packed too where its rows are not dense, meets all of them: a is read from memory once a slice.
template <class V>
void blocked(const GemmRun& run) {
  using T = typename V::Element;
  constexpr auto size = static_cast<std::int64_t>(sizeof(T));
  constexpr std::int64_t columns = kGemmColumnBytes / size;
  T* const rows_packed = static_cast<T*>(run.scratch);
  T* const panels_packed = rows_packed + kBlockRows * kDepth;
  const bool pack_a = run.a_col != 1 && (run.a_row != 1 || run.n > 3 * V::kLanes);
  GemmRun tiles = run;
  if (pack_a) {
    tiles.a_row = 1;
    tiles.a_col = kBlockRows;
  }
  const T* const a = static_cast<const T*>(run.a);
  const T* const b = static_cast<const T*>(run.b);
  T* const c = static_cast<T*>(run.c);
  const auto a_lines = [&](Ahead& ahead, const T* from, std::int64_t rows, std::int64_t depth, std::int64_t chunks) {
    if (run.a_col == 1)
      ahead.aim(from, rows, run.a_row * size, depth * size, chunks);
    else
      ahead.aim(from, depth, run.a_col * size, run.a_row == 1 ? rows * size : 1, chunks);
  };
  const auto b_lines = [&](Ahead& ahead, const T* from, std::int64_t width, std::int64_t depth, std::int64_t chunks) {
    if (run.b_row == 1)
      ahead.aim(from, width, run.b_col * size, depth * size, chunks);
    else
      ahead.aim(from, depth, run.b_row * size, run.b_col == 1 ? width * size : 1, chunks);
  };
  for (std::int64_t j0 = 0; j0 < run.n; j0 += columns) {
    const std::int64_t n = least(run.n - j0, columns);
    for (std::int64_t p = 0; p < run.k; p += kDepth) {
      const std::int64_t depth = least(run.k - p, kDepth);
      for_panels<V>(n, [&](std::int64_t j, std::int64_t width, int registers) {
        pack(b + p * run.b_row + (j0 + j) * run.b_col, run.b_row, run.b_col, depth, static_cast<int>(width),
             registers * V::kLanes, panels_packed + j * depth);
      });
      std::int64_t in_block = 0;  // chunks of a block of rows
      for_panels<V>(n, [&](std::int64_t, std::int64_t, int) { in_block += kBlockRows / kMaxRows; });
      in_block *= (depth + kChunk - 1) / kChunk;
      const std::int64_t blocks = (run.m + kBlockRows - 1) / kBlockRows;
      Aheads aheads;
      if (p + depth < run.k)
        b_lines(aheads.b, b + (p + depth) * run.b_row + j0 * run.b_col, n, least(run.k - p - depth, kDepth), blocks * in_block);
      else if (j0 + n < run.n)
        b_lines(aheads.b, b + (j0 + n) * run.b_col, least(run.n - j0 - n, columns), least(run.k, kDepth), blocks * in_block);
      else if (run.next_b)
        b_lines(aheads.b, static_cast<const T*>(run.next_b), least(run.n, columns), least(run.k, kDepth), blocks * in_block);
      for (std::int64_t i = 0; i < run.m; i += kBlockRows) {
        const std::int64_t rows = least(run.m - i, kBlockRows), after = least(run.m - i - rows, kBlockRows);
        const T* from = a + i * run.a_row + p * run.a_col;
        if (after > 0) {
          a_lines(aheads.a, from + rows * run.a_row, after, depth, in_block);
          aheads.c.aim(c + (i + rows) * run.c_row + j0, after, run.c_row * size, n * size, in_block);
        } else if (p + depth < run.k) {
          a_lines(aheads.a, a + (p + depth) * run.a_col, least(run.m, kBlockRows), least(run.k - p - depth, kDepth), in_block);
        } else if (run.next_a) {
          a_lines(aheads.a, static_cast<const T*>(run.next_a), least(run.m, kBlockRows), least(run.k, kDepth), in_block);
        }
        if (pack_a) {
          pack_rows<V>(run, i, rows, p, depth, rows_packed);
          from = rows_packed;
        }
        for_panels<V>(n, [&](std::int64_t j, std::int64_t width, int registers) {
          const auto tiles_of = [&]<int count>() {
            row_tiles<V, count, kMaxRows, true>(tiles, from, panels_packed + j * depth, count * V::kLanes, depth,
                                                c + i * run.c_row + j0 + j, width, run.accumulate || p > 0, rows, &aheads);
          };
          if (registers == 3)
            tiles_of.template operator()<3>();
          else if (registers == 2)
            tiles_of.template operator()<2>();
          else
            tiles_of.template operator()<1>();
        });
      }
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
  if (run.scratch && gemm_packs(run.m, run.k))
    blocked<V>(run);
  else if (run.m <= kMaxRows / 2)
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
