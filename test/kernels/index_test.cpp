// gather and scatter_add against their definition, and the range check.
#include <gtest/gtest.h>

#include <test/kernels/support.hpp>

namespace swage::test {
namespace {

// Position in an array of extents `dims` of the index `at`, whose coordinate along `dim` is replaced.
std::int64_t logical(const Dims& index_dims, std::int64_t at, const Dims& dims, int dim, std::int64_t replaced) {
  std::int64_t coordinates[kMaxRank], result = 0;
  for (int d = index_dims.rank() - 1; d >= 0; --d) {
    coordinates[d] = at % index_dims[d];
    at /= index_dims[d];
  }
  for (int d = 0; d < dims.rank(); ++d) result = result * dims[d] + (d == dim ? replaced : coordinates[d]);
  return result;
}

struct Case {
  Array self, index;
  int dim;
};

std::vector<Case> cases(DType dtype) {
  const Array table = random(dtype, {50, 8}, 1);
  const Array rows = random(DType::i64, {20, 1}, 2, 0, 49);
  return {
      {random(dtype, {7}, 1), random(DType::i64, {11}, 2, 0, 6), 0},
      {table, rows.expanded({20, 8}), 0},  // an embedding
      {table, random(DType::i64, {20, 8}, 3, 0, 49), 0},
      {table, random(DType::i64, {50, 1}, 4, 0, 7), 1},  // the logit of each target
      {table, random(DType::i64, {30, 5}, 4, 0, 7), 1},
      {random(dtype, {8, 50}, 1).transposed(), random(DType::i64, {3, 60}, 5, 0, 7).transposed().narrowed(0, 0, 50), 1},
      {random(dtype, {4, 5, 6}, 1), random(DType::i64, {4, 9, 6}, 6, 0, 4), 1},
      {random(dtype, {4, 5, 6}, 1), random(DType::i64, {2, 3, 4}, 6, 0, 3), 0},
      {random(dtype, {4, 5}, 1), random(DType::i64, {0, 5}, 6, 0, 3), 0},
      {random(dtype, {}, 1), from(DType::i64, {}, [](std::int64_t) { return 0; }), 0},
  };
}

TEST(Gather, TakesWhatTheIndexNames) {
  for (int d = 0; d < kDTypes; ++d)
    for (const Case& c : cases(static_cast<DType>(d))) {
      if (c.self.desc.rank() == 0) continue;
      const Attribute attribute{{c.dim}, 0, DType::f32};
      EXPECT_EQ(check(Op::gather, {c.self, c.index}, attribute), std::nullopt);
      const Array result = run(Op::gather, {c.self, c.index}, attribute);
      ASSERT_EQ(result.desc.dims, c.index.desc.dims);
      for (std::int64_t i = 0; i < result.numel(); ++i) {
        const auto at = static_cast<std::int64_t>(c.index.get(i));
        ASSERT_EQ(result.get(i), c.self.get(logical(c.index.desc.dims, i, c.self.desc.dims, c.dim, at)));
      }
    }
}

TEST(ScatterAdd, AddsInTheOrderOfTheIndex) {
  for (DType dtype : {DType::i64, DType::f32, DType::f64})
    for (const Case& c : cases(dtype)) {
      if (c.self.desc.rank() == 0) continue;
      const Attribute attribute{{c.dim}, 0, DType::f32};
      for (const Array& source : {random(dtype, c.index.desc.dims, 9), random(dtype, {}, 9).expanded(c.index.desc.dims)}) {
        Array expected = c.self.contiguous();
        for (std::int64_t i = 0; i < c.index.numel(); ++i) {
          const std::int64_t to =
              logical(c.index.desc.dims, i, c.self.desc.dims, c.dim, static_cast<std::int64_t>(c.index.get(i)));
          const long double sum = expected.get(to) + source.get(i);
          expected.set(to, dtype == DType::f32   ? static_cast<float>(sum)
                           : dtype == DType::f64 ? static_cast<double>(sum)
                                                 : sum);
        }
        EXPECT_TRUE(same_bits(run(Op::scatter_add, {c.self, c.index, source}, attribute), expected));
      }
    }
}

TEST(Index, OutOfRangeIsNamed) {
  const Array self = random(DType::f32, {4, 5}, 1);
  for (std::int64_t wrong : {std::int64_t{5}, std::int64_t{-1}}) {
    Array index = random(DType::i64, {4, 3}, 2, 0, 4);
    index.set(7, wrong);
    const auto problem = check(Op::gather, {self, index}, {{1}, 0, DType::f32});
    ASSERT_TRUE(problem.has_value());
    EXPECT_EQ(*problem, fmt::format("index {} at position [2, 1] is outside [0, 5) of dimension 1", wrong));
    EXPECT_EQ(check(Op::scatter_add, {self, index, index}, {{1}, 0, DType::f32}), problem);
  }
  const Array rows = from(DType::i64, {3, 1}, [](std::int64_t i) { return i == 2 ? 4 : 0; }).expanded({3, 5});
  EXPECT_EQ(check(Op::gather, {self, rows}, {{0}, 0, DType::f32}),
            "index 4 at position [2, 0] is outside [0, 4) of dimension 0");
}

}  // namespace
}  // namespace swage::test
