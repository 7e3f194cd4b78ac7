// Reductions bit for bit against the definition of the tree, over shapes, layouts, instruction sets and thread counts.
#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include <kernels/cpu/simd_table.hpp>
#include <runtime/core/thread_pool.hpp>
#include <runtime/ops/reduction_tree.hpp>
#include <test/kernels/support.hpp>

namespace swage::test {
namespace {

struct Split {
  Dims kept, reduced;        // extents
  Dims kept_at, reduced_at;  // strides
};

Split split(const ViewDesc& desc, const std::vector<std::int64_t>& dims) {
  Split result;
  for (int d = 0; d < desc.rank(); ++d) {
    const bool reduced = std::find(dims.begin(), dims.end(), d) != dims.end();
    (reduced ? result.reduced : result.kept).push_back(desc.dims[d]);
    (reduced ? result.reduced_at : result.kept_at).push_back(desc.strides[d]);
  }
  return result;
}

std::int64_t at(const Dims& dims, const Dims& strides, std::int64_t index) {
  std::int64_t offset = 0;
  for (int d = dims.rank() - 1; d >= 0; --d) {
    offset += index % dims[d] * strides[d];
    index /= dims[d];
  }
  return offset;
}

template <class T>
T combine(Op op, T a, T b) {
  if (op == Op::sum) {
    if constexpr (std::is_same_v<T, std::int64_t>)
      return static_cast<T>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
    else
      return a + b;
  }
  const bool second = op == Op::amax ? b > a : b < a;  // of equals (zeros of either sign) the first stays
  return second || b != b ? b : a;
}

template <class T>
void expect_tree(Op op, const Array& input, const std::vector<std::int64_t>& dims, const std::string& label) {
  Attribute attribute;
  attribute.ints = {0};
  attribute.ints.insert(attribute.ints.end(), dims.begin(), dims.end());
  const Array result = run(op, {input}, attribute);
  const Split s = split(input.desc, dims);
  const std::int64_t n = s.reduced.product();
  const T* data = reinterpret_cast<const T*>(input.data());
  ASSERT_EQ(result.numel(), s.kept.product());
  for (std::int64_t j = 0; j < result.numel(); ++j) {
    const std::int64_t base = at(s.kept, s.kept_at, j);
    const T got = reinterpret_cast<const T*>(result.data())[j];
    T expected = 0;
    if (n > 0)
      expected = reduce_reference<T>(
          n, [&](std::int64_t i) { return data[base + at(s.reduced, s.reduced_at, i)]; },
          [&](T a, T b) { return combine(op, a, b); });
    const bool same = std::memcmp(&got, &expected, sizeof got) == 0 || (got != got && expected != expected);
    ASSERT_TRUE(same) << label << " " << name_of(op) << " " << to_string(input.desc) << " result " << j << ": " << got
                      << ", not " << expected;
  }
}

void expect_trees(const Array& input, const std::vector<std::int64_t>& dims, const std::string& label) {
  for (const OpInfo& row : kOpTable) {
    if (row.kind != OpKind::reduction || row.op == Op::argmax) continue;
    if (row.op != Op::sum && split(input.desc, dims).reduced.product() == 0) continue;
    visit(input.desc.dtype, [&]<class T>(T) {
      if constexpr (!std::is_same_v<T, bool>) expect_tree<T>(row.op, input, dims, label);
    });
  }
}

template <class F>
void everywhere(F&& f) {
  on_each_isa([&](const std::string& isa) {
    for (int threads : {1, 2, 3}) {
      set_num_threads(threads);
      for (DType dtype : {DType::f32, DType::f64, DType::i64}) f(dtype, isa + " threads " + std::to_string(threads));
    }
    set_num_threads(1);
  });
}

TEST(Reduction, EveryReductionOfTheTableHasAKernelForEveryType) {
  on_each_isa([](const std::string&) {
    for (const OpInfo& row : kOpTable)
      for (DType dtype : {DType::f32, DType::f64, DType::i64}) {
        const bool has = simd().reduce[static_cast<int>(row.op)][static_cast<int>(dtype)].run != nullptr;
        EXPECT_EQ(has, row.kind == OpKind::reduction) << row.name;
      }
  });
}

TEST(Reduction, DenseLengths) {
  everywhere([](DType dtype, const std::string& label) {
    for (std::int64_t n : {0,    1,    2,    7,    8,    9,    15,   16,   17,   24,   31,   33,   100,
                           1000, 1023, 1024, 1025, 1030, 2048, 3071, 4096, 5000, 8192, 8193, 20000}) {
      expect_trees(random(dtype, {n}, 1), {0}, label);
    }
    expect_trees(random(dtype, {70001}, 1), {0}, label);
    expect_trees(random(dtype, {}, 1), {}, label);
  });
}

TEST(Reduction, Rows) {
  everywhere([](DType dtype, const std::string& label) {
    for (std::int64_t n : {1, 5, 16, 20, 64, 1000, 1024, 1500, 5000})
      for (std::int64_t rows : {1, 3, 4, 9}) expect_trees(random(dtype, {rows, n}, 2), {1}, label);
    expect_trees(random(dtype, {100, 1024}, 2), {1}, label);
  });
}

TEST(Reduction, Columns) {
  everywhere([](DType dtype, const std::string& label) {
    for (std::int64_t n : {1, 5, 16, 20, 64, 1100, 3100})
      for (std::int64_t columns : {1, 3, 10, 33, 130}) expect_trees(random(dtype, {n, columns}, 3), {0}, label);
    expect_trees(random(dtype, {70, 1100}, 3), {0}, label);
  });
}

TEST(Reduction, ChannelsAndOtherSetsOfDimensions) {
  everywhere([](DType dtype, const std::string& label) {
    expect_trees(random(dtype, {3, 5, 4, 4}, 4), {0, 2, 3}, label);
    expect_trees(random(dtype, {9, 3, 16, 16}, 4), {0, 2, 3}, label);
    expect_trees(random(dtype, {40, 3, 7, 7}, 4), {0, 2, 3}, label);
    expect_trees(random(dtype, {2, 3, 40, 32}, 4), {0, 2, 3}, label);
    expect_trees(random(dtype, {6, 5, 4, 3}, 4), {1, 2}, label);
    expect_trees(random(dtype, {6, 5, 4, 3}, 4), {0, 2}, label);
    expect_trees(random(dtype, {6, 5, 4, 3}, 4), {1, 3}, label);
    expect_trees(random(dtype, {6, 5, 4, 3}, 4), {0, 1, 2, 3}, label);
    expect_trees(random(dtype, {2, 2, 2, 2, 2, 2, 2, 9}, 4), {0, 3, 5, 7}, label);
    expect_trees(random(dtype, {6, 5}, 4), {}, label);
    expect_trees(random(dtype, {4, 0}, 4), {1}, label);
    expect_trees(random(dtype, {4, 0}, 4), {0}, label);
  });
}

TEST(Reduction, AnyLayout) {
  everywhere([](DType dtype, const std::string& label) {
    const Array a = random(dtype, {40, 50}, 5);
    for (std::int64_t dim : {0, 1}) {
      expect_trees(a.transposed(), {dim}, label);
      expect_trees(a.stepped(1, 3), {dim}, label);
      expect_trees(a.stepped(0, 3), {dim}, label);
      expect_trees(a.narrowed(1, 7, 33), {dim}, label);
      expect_trees(random(dtype, {1, 50}, 6).expanded({40, 50}), {dim}, label);
      expect_trees(random(dtype, {40, 1}, 6).expanded({40, 50}), {dim}, label);
    }
    expect_trees(a.transposed(), {0, 1}, label);
    expect_trees(random(dtype, {6, 70, 40}, 6).permuted({2, 0, 1}), {0, 2}, label);
  });
}

TEST(Reduction, NaNInfinityAndSignedZero) {
  on_each_isa([](const std::string& isa) {
    for (DType dtype : {DType::f32, DType::f64})
      for (std::int64_t n : {3, 40, 3000})
        for (std::int64_t place = 0; place < n; place += n / 3)
          for (long double special : {std::nanl(""), HUGE_VALL, -HUGE_VALL, -0.0L}) {
            Array a =
                special == 0 ? from(dtype, {n}, [](std::int64_t i) { return i % 2 ? 0.0L : -0.0L; }) : random(dtype, {n}, 1);
            a.set(place, special);
            expect_trees(a, {0}, isa);
          }
  });
}

TEST(Reduction, KeepdimChangesTheShapeOnly) {
  const Array a = random(DType::f32, {3, 4, 5}, 1);
  const Array kept = run(Op::sum, {a}, {{1, 0, 2}, 0, DType::f32}), dropped = run(Op::sum, {a}, {{0, 0, 2}, 0, DType::f32});
  EXPECT_EQ(kept.desc.dims, (Dims{1, 4, 1}));
  EXPECT_EQ(dropped.desc.dims, (Dims{4}));
  for (std::int64_t i = 0; i < 4; ++i) EXPECT_EQ(kept.get(i), dropped.get(i));
}

TEST(Argmax, FirstOfTheGreatestAndNaNAboveAll) {
  everywhere([](DType dtype, const std::string& label) {
    const Array data = random(dtype, {30, 40}, 1, -5, 5);
    Array special = data.contiguous();
    if (is_float(dtype)) {
      special.set(17, std::nanl(""));
      special.set(19, std::nanl(""));
    }
    for (const Array& a : {data, special, special.transposed(), data.stepped(1, 3), data.narrowed(0, 4, 11)})
      for (std::int64_t dim : {0, 1}) {
        const Array result = run(Op::argmax, {a}, {{0, dim}, 0, DType::f32});
        const Array rows = dim == 1 ? a : a.transposed();
        const std::int64_t n = rows.desc.dims[1];
        for (std::int64_t r = 0; r < rows.desc.dims[0]; ++r) {
          std::int64_t best = 0;
          for (std::int64_t i = 1; i < n; ++i) {
            const long double x = rows.get(r * n + i), y = rows.get(r * n + best);
            if (!std::isnan(y) && (x > y || std::isnan(x))) best = i;
          }
          ASSERT_EQ(result.get(r), best) << label << " row " << r;
        }
      }
  });
}

}  // namespace
}  // namespace swage::test
