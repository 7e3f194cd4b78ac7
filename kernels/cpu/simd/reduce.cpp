// Reductions by the fixed reduction tree (runtime/ops/reduction_tree.hpp), in four shapes:
//   dense      the reduced elements of a result lie one after the other: registers are lanes
//   segments   dense stretches whose length is a multiple of the lanes: as dense
//   columns    neighbouring results are dense: registers hold neighbouring results, lane sums wait in memory
//   gathered   anything else: a block is copied together first
#include <kernels/cpu/simd/lanes.hpp>
#include <kernels/cpu/simd/pointwise.hpp>
#include <runtime/ops/reduction_tree.hpp>

namespace swage::SWAGE_SIMD {
namespace {

constexpr int kLevels = 48;  // of the tree over blocks: enough for any count

std::int64_t least(std::int64_t a, std::int64_t b) { return a < b ? a : b; }

template <Op op, class V>
struct Reduce {
  using T = typename V::Element;
  static constexpr int kRegisters = kReductionLanes / V::kLanes;
  using Step = scalar::Combine<op>;

  static T combine(T a, T b) { return Step::apply(V::broadcast(a), V::broadcast(b)).v[0]; }

  // The tree over blocks as a counter: level l holds the combination of 2^l neighbours, if any.
  struct Tree {
    T level[kLevels];
    std::int64_t pushed = 0;
    void push(T x) {
      int l = 0;
      for (; pushed >> l & 1; ++l) x = combine(level[l], x);
      level[l] = x;
      ++pushed;
    }
    T total() const {
      int l = __builtin_ctzll(static_cast<unsigned long long>(pushed));
      T x = level[l];
      for (++l; pushed >> l != 0; ++l)
        if (pushed >> l & 1) x = combine(level[l], x);
      return x;
    }
  };

  // The 16 lanes of a block in registers.
  struct Lanes {
    V v[kRegisters];
    static Lanes load(const T* x) {
      Lanes lanes;
      for (int r = 0; r < kRegisters; ++r) lanes.v[r] = V::load(x + r * V::kLanes);
      return lanes;
    }
    void add(const T* x) {
      for (int r = 0; r < kRegisters; ++r) v[r] = Step::apply(v[r], V::load(x + r * V::kLanes));
    }
    void add_first(const T* x, int n) {
      for (int r = 0; r < kRegisters && n > 0; ++r, n -= V::kLanes, x += V::kLanes) {
        if (n >= V::kLanes)
          v[r] = Step::apply(v[r], V::load(x));
        else
          v[r] = select(first_lanes<V>(n), Step::apply(v[r], load_first<V>(x, n)), v[r]);
      }
    }
    T fold() {
      for (int half = kRegisters / 2; half >= 1; half /= 2)
        for (int r = 0; r < half; ++r) v[r] = Step::apply(v[r], v[r + half]);
      fold_halves<V::kLanes / 2>(v[0]);
      return v[0].v[0];
    }
    template <int half>
    static void fold_halves(V& x) {
      if constexpr (half >= 1) {
        x = Step::apply(x, rotate<half>(x));
        fold_halves<half / 2>(x);
      }
    }
  };

  // One block of 1 … 1024 dense elements.
  static T block(const T* x, std::int64_t n) {
    if (n >= kReductionLanes) {
      Lanes lanes = Lanes::load(x);
      std::int64_t i = kReductionLanes;
      for (; i + kReductionLanes <= n; i += kReductionLanes) lanes.add(x + i);
      if (i < n) lanes.add_first(x + i, static_cast<int>(n - i));
      return lanes.fold();
    }
    T lanes[kReductionLanes];
    int used = static_cast<int>(n);
    for (int i = 0; i < used; ++i) lanes[i] = x[i];
    for (int half = kReductionLanes / 2; half >= 1; half /= 2) {
      for (int lane = 0; lane + half < used && lane < half; ++lane) lanes[lane] = combine(lanes[lane], lanes[lane + half]);
      if (used > half) used = half;
    }
    return lanes[0];
  }

  // Four blocks side by side, whose chains hide the latency of one another, pay where everything lies in the first-level cache.
  // Beyond it prefetchers want one stream, and the processor overlaps the end of a block with the next one by itself.
  static constexpr std::int64_t kNear = (32 << 10) / static_cast<std::int64_t>(sizeof(T));

  // Four blocks of equal length n ≥ 16 at x, x + distance, ….
  static void four_blocks(const T* x, std::int64_t distance, std::int64_t n, T (&out)[4]) {
    Lanes lanes[4];
    for (int b = 0; b < 4; ++b) lanes[b] = Lanes::load(x + b * distance);
    std::int64_t i = kReductionLanes;
    for (; i + kReductionLanes <= n; i += kReductionLanes)
      for (int b = 0; b < 4; ++b) lanes[b].add(x + b * distance + i);
    for (int b = 0; b < 4; ++b) {
      if (i < n) lanes[b].add_first(x + b * distance + i, static_cast<int>(n - i));
      out[b] = lanes[b].fold();
    }
  }

  template <class Push>
  static void dense_blocks(const T* x, std::int64_t n, Push&& push) {
    std::int64_t i = 0;
    for (T four[4]; n <= kNear && i + 4 * kReductionBlock <= n; i += 4 * kReductionBlock) {
      four_blocks(x + i, kReductionBlock, kReductionBlock, four);
      for (T value : four) push(value);
    }
    for (; i < n; i += kReductionBlock) push(block(x + i, least(n - i, kReductionBlock)));
  }

  // Walks the reduced index space from any logical index on.
  struct Walk {
    const ReduceRun& run;
    std::int64_t index[8];
    std::int64_t at = 0;  // offset of the current element
    Walk(const ReduceRun& r, std::int64_t start) : run(r) {
      for (int d = run.rank - 1; d >= 0; --d) {
        index[d] = start % run.dims[d];
        start /= run.dims[d];
        at += index[d] * run.strides[d];
      }
    }
    std::int64_t left_in_stretch() const { return run.dims[run.rank - 1] - index[run.rank - 1]; }
    void advance(std::int64_t n) {  // within the stretch
      int d = run.rank - 1;
      index[d] += n;
      at += n * run.strides[d];
      while (index[d] == run.dims[d] && d > 0) {
        at -= run.dims[d] * run.strides[d];
        index[d] = 0;
        --d;
        ++index[d];
        at += run.strides[d];
      }
    }
  };

  static bool segmented(const ReduceRun& run) {
    return run.strides[run.rank - 1] == 1 && run.dims[run.rank - 1] % kReductionLanes == 0;
  }

  template <class Push>
  static void walked_blocks(const ReduceRun& run, const T* x, std::int64_t begin, std::int64_t end, Push&& push) {
    Walk walk(run, begin);
    const bool dense = segmented(run);
    for (std::int64_t i = begin; i < end; i += kReductionBlock) {
      const std::int64_t length = least(end - i, kReductionBlock);
      if (dense) {
        Lanes lanes;
        for (std::int64_t done = 0; done < length;) {
          const std::int64_t n = least(length - done, walk.left_in_stretch());
          const T* p = x + walk.at;
          std::int64_t j = 0;
          if (done == 0) lanes = Lanes::load(p), j = kReductionLanes;
          for (; j < n; j += kReductionLanes) lanes.add(p + j);
          walk.advance(n);
          done += n;
        }
        push(lanes.fold());
      } else {
        T together[kReductionBlock];
        for (std::int64_t done = 0; done < length;) {
          const std::int64_t n = least(length - done, walk.left_in_stretch());
          const std::int64_t stride = run.strides[run.rank - 1];
          const T* p = x + walk.at;
          for (std::int64_t j = 0; j < n; ++j) together[done + j] = p[j * stride];
          walk.advance(n);
          done += n;
        }
        push(block(together, length));
      }
    }
  }

  // Neighbouring results, `width` at a time: level and lane arrays of that width stay in the first-level cache.
  static constexpr int kWidth = 1024 / static_cast<int>(sizeof(T));

  static void columns(const ReduceRun& run, const T* x, T* out, int width) {
    alignas(64) T lanes[kReductionLanes][kWidth];
    alignas(64) T levels[kLevels][kWidth];
    Walk walk(run, 0);
    std::int64_t pushed = 0;
    for (std::int64_t begin = 0; begin < run.count; begin += kReductionBlock) {
      const std::int64_t length = least(run.count - begin, kReductionBlock);
      for (std::int64_t i = 0; i < length; ++i) {
        T* lane = lanes[i % kReductionLanes];
        const T* row = x + walk.at;
        if (i < kReductionLanes)
          copy_row(row, lane, width);
        else
          add_row(lane, row, lane, width);
        walk.advance(1);
      }
      int used = static_cast<int>(least(length, kReductionLanes));
      for (int half = kReductionLanes / 2; half >= 1; half /= 2) {
        for (int lane = 0; lane + half < used && lane < half; ++lane)
          add_row(lanes[lane], lanes[lane + half], lanes[lane], width);
        if (used > half) used = half;
      }
      int l = 0;
      for (; pushed >> l & 1; ++l) add_row(levels[l], lanes[0], lanes[0], width);
      copy_row(lanes[0], levels[l], width);
      ++pushed;
    }
    int l = __builtin_ctzll(static_cast<unsigned long long>(pushed));
    T* total = levels[l];
    for (++l; pushed >> l != 0; ++l)
      if (pushed >> l & 1) add_row(levels[l], total, total, width);
    copy_row(total, out, width);
  }

  static void copy_row(const T* from, T* to, int n) {
    int j = 0;
    for (; j + V::kLanes <= n; j += V::kLanes) V::load(from + j).store(to + j);
    if (j < n) store_first(load_first<V>(from + j, n - j), to + j, n - j);
  }
  static void add_row(const T* a, const T* b, T* to, int n) {
    int j = 0;
    for (; j + V::kLanes <= n; j += V::kLanes) Step::apply(V::load(a + j), V::load(b + j)).store(to + j);
    if (j < n) store_first(Step::apply(load_first<V>(a + j, n - j), load_first<V>(b + j, n - j)), to + j, n - j);
  }

  [[gnu::flatten]] static void dense_rows(const ReduceRun& run) {
    const T* x = static_cast<const T*>(run.in);
    T* out = static_cast<T*>(run.out);
    std::int64_t j = 0;
    if (run.count >= kReductionLanes && run.count <= kReductionBlock && run.results * run.count <= kNear) {
      for (T four[4]; j + 4 <= run.results; j += 4) {
        four_blocks(x + j * run.result_stride, run.result_stride, run.count, four);
        for (int b = 0; b < 4; ++b) out[j + b] = four[b];
      }
    }
    for (; j < run.results; ++j) {
      Tree tree;
      dense_blocks(x + j * run.result_stride, run.count, [&](T value) { tree.push(value); });
      out[j] = tree.total();
    }
  }

  static void run(const ReduceRun& run) {
    const T* x = static_cast<const T*>(run.in);
    T* out = static_cast<T*>(run.out);
    if (run.rank == 1 && run.strides[0] == 1) return dense_rows(run);
    if (run.result_stride == 1 && run.results > 1) {
      for (std::int64_t j = 0; j < run.results; j += kWidth)
        columns(run, x + j, out + j, static_cast<int>(least(run.results - j, kWidth)));
      return;
    }
    for (std::int64_t j = 0; j < run.results; ++j) {
      Tree tree;
      walked_blocks(run, x + j * run.result_stride, 0, run.count, [&](T value) { tree.push(value); });
      out[j] = tree.total();
    }
  }

  static void blocks(const ReduceRun& run, std::int64_t begin, std::int64_t end, void* out) {
    const T* x = static_cast<const T*>(run.in);
    T* next = static_cast<T*>(out);
    const std::int64_t first = begin * kReductionBlock, last = least(end * kReductionBlock, run.count);
    if (run.rank == 1 && run.strides[0] == 1)
      dense_blocks(x + first, last - first, [&](T value) { *next++ = value; });
    else
      walked_blocks(run, x, first, last, [&](T value) { *next++ = value; });
  }

  static void tree(void* blocks, std::int64_t n, void* out) {
    Tree tree;
    for (std::int64_t i = 0; i < n; ++i) tree.push(static_cast<const T*>(blocks)[i]);
    *static_cast<T*>(out) = tree.total();
  }
};

// The first index of the greatest element; NaN counts as greatest.
template <class V>
void argmax(const ReduceRun& run) {
  using T = typename V::Element;
  const std::int64_t n = run.count, stride = run.strides[0];
  std::int64_t* out = static_cast<std::int64_t*>(run.out);
  ReduceRun one = run;
  one.results = 1;
  for (std::int64_t j = 0; j < run.results; ++j) {
    const T* x = static_cast<const T*>(run.in) + j * run.result_stride;
    T greatest;
    one.in = x;
    one.out = &greatest;
    Reduce<Op::amax, V>::run(one);
    std::int64_t i = 0;
    if (greatest == greatest)
      while (i < n - 1 && !(x[i * stride] == greatest)) ++i;
    else
      while (i < n - 1 && x[i * stride] == x[i * stride]) ++i;
    out[j] = i;
  }
}

template <Op op, class V>
void fill_one(SimdTable& table, DType dtype) {
  using R = Reduce<op, V>;
  table.reduce[static_cast<int>(op)][static_cast<int>(dtype)] = {R::run, R::blocks, R::tree};
}

template <class V, int op = 0>
void fill_all(SimdTable& table, DType dtype) {
  if constexpr (op < kOps) {
    constexpr Op which = static_cast<Op>(op);
    constexpr bool reduction = kind_of(which) == OpKind::reduction;
    if constexpr (which == Op::argmax)
      table.reduce[op][static_cast<int>(dtype)] = {argmax<V>, nullptr, nullptr};
    else if constexpr (reduction)
      fill_one<which, V>(table, dtype);
    fill_all<V, op + 1>(table, dtype);
  }
}

}  // namespace

void fill_reduce(SimdTable& table) {
  fill_all<F32>(table, DType::f32);
  fill_all<F64>(table, DType::f64);
  fill_all<I64>(table, DType::i64);
}

}  // namespace swage::SWAGE_SIMD
