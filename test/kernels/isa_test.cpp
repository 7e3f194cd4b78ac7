// AVX2 and AVX-512 give the same bits for everything but contractions: pointwise ops on special and random values, with tails.
// (Reductions and random numbers are held against their definitions on each instruction set.)
#include <cmath>

#include <gtest/gtest.h>

#include <kernels/cpu/simd_table.hpp>
#include <test/kernels/support.hpp>

namespace swage::test {
namespace {

Array values(DType dtype, std::int64_t n, std::uint32_t seed) {
  const std::vector<long double> special = {0.0L,   -0.0L, 1,      -1,    HUGE_VALL, -HUGE_VALL, std::nanl(""),
                                            1e-45L, 3e38L, -3e38L, 88.8L, -104,      0.5L};
  const Array a = random(dtype, {n}, seed, -20, 20);
  return from(dtype, {n}, [&](std::int64_t i) -> long double {
    return is_float(dtype) && i % 3 == 1 ? special[static_cast<std::size_t>(i * 7 + seed) % special.size()] : a.get(i);
  });
}

TEST(Isa, PointwiseOpsGiveTheSameBits) {
  if (isas().size() < 2) GTEST_SKIP() << "this CPU has one of the two instruction sets only";
  for (const OpInfo& row : kOpTable) {
    if (row.kind != OpKind::pointwise) continue;
    for (int d = 0; d < kDTypes; ++d)
      for (std::int64_t n : {13, 1001}) {
        const DType dtype = static_cast<DType>(d);
        const bool cast = row.dtypes == DTypeRule::cast;
        if (!cast && !computes_with(row.op, dtype)) continue;
        std::vector<Array> arrays;
        for (int k = 0; k < row.arity; ++k)
          arrays.push_back(values(row.dtypes == DTypeRule::select && k == 0 ? DType::boolean : dtype, n,
                                  3u + static_cast<std::uint32_t>(k)));
        for (int to = 0; to < (cast ? kDTypes : 1); ++to) {
          std::vector<Array> results;
          on_each_isa([&](const std::string&) {
            results.push_back(run(row.op, {arrays.begin(), arrays.end()}, {{}, 0, static_cast<DType>(to)}));
          });
          EXPECT_TRUE(same_bits(results[0], results[1])) << row.name << " " << name_of(dtype);
        }
      }
  }
}

}  // namespace
}  // namespace swage::test
