// Fills and random numbers.
#include <cmath>

#include <gtest/gtest.h>

#include <runtime/core/thread_pool.hpp>
#include <test/kernels/support.hpp>

namespace swage::test {
namespace {

TEST(Table, EveryComputingOpHasAKernelAndEveryCheckedOpACheck) {
  const KernelTable table = cpu_kernel_table();
  for (const OpInfo& row : kOpTable) {
    const bool computes = row.kind != OpKind::structure && row.kind != OpKind::view;
    EXPECT_EQ(table[row.op] != nullptr, computes) << row.name;
    EXPECT_EQ(table.check[static_cast<std::size_t>(row.op)] != nullptr, row.checked) << row.name;
  }
}

TEST(Full, AllTypes) {
  for (int d = 0; d < kDTypes; ++d)
    for (const Dims& dims : {Dims{}, Dims{0}, Dims{3, 37}}) {
      const DType dtype = static_cast<DType>(d);
      const Array a = run(Op::full, {real(2.5)}, {{dims.begin(), dims.end()}, 0, dtype});
      for (std::int64_t i = 0; i < a.numel(); ++i)
        EXPECT_EQ(a.get(i), dtype == DType::boolean ? 1 : dtype == DType::i64 ? 2 : 2.5L);
    }
}

TEST(Iota, CountsAlongItsDimension) {
  for (DType dtype : {DType::i64, DType::f32, DType::f64})
    for (int dim : {0, 1, 2}) {
      const Array a = run(Op::iota, {}, {{dim, 3, 4, 5}, 0, dtype});
      const std::int64_t inner[] = {20, 5, 1}, extent[] = {3, 4, 5};
      for (std::int64_t i = 0; i < 60; ++i) EXPECT_EQ(a.get(i), i / inner[dim] % extent[dim]);
    }
}

Array draw(Op op, DType dtype, std::int64_t n, std::int64_t offset, std::int64_t seed = 42) {
  return run(op, {}, {{n}, 0, dtype}, false, offset, seed);
}

// Philox4x32-10, word by word, as in the paper.
std::array<std::uint32_t, 4> philox(std::uint64_t seed, std::uint64_t low, std::uint32_t domain) {
  std::array<std::uint32_t, 4> c = {static_cast<std::uint32_t>(low), static_cast<std::uint32_t>(low >> 32), domain, 0};
  auto k0 = static_cast<std::uint32_t>(seed), k1 = static_cast<std::uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c[0], p1 = std::uint64_t{0xCD9E8D57u} * c[2];
    c = {static_cast<std::uint32_t>(p1 >> 32) ^ c[1] ^ k0, static_cast<std::uint32_t>(p1),
         static_cast<std::uint32_t>(p0 >> 32) ^ c[3] ^ k1, static_cast<std::uint32_t>(p0)};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return c;
}

// A known answer from the authors' Random123 distribution: counter and key all zero.
TEST(Random, TheReferenceIsPhilox) {
  EXPECT_EQ(philox(0, 0, 0), (std::array<std::uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
}

TEST(Random, UniformIsPhiloxOfSeedAndElement) {
  on_each_isa([](const std::string&) {
    for (std::int64_t offset : {std::int64_t{0}, std::int64_t{12}, (std::int64_t{1} << 36) + 4}) {
      const std::int64_t seed = 0x123456789abcdef;
      const Array f = draw(Op::uniform, DType::f32, 1000, offset, seed), g = draw(Op::uniform, DType::f64, 1000, offset, seed);
      for (std::int64_t i = 0; i < 1000; ++i) {
        const auto e = static_cast<std::uint64_t>(offset + i);
        const auto w = philox(static_cast<std::uint64_t>(seed), e / 4, 0);
        ASSERT_EQ(f.get(i), static_cast<float>(w[e % 4] >> 8) * 0x1p-24f);
        const auto v = philox(static_cast<std::uint64_t>(seed), e / 2, 1);
        const std::uint64_t bits = v[2 * (e % 2)] | std::uint64_t{v[2 * (e % 2) + 1]} << 32;
        ASSERT_EQ(g.get(i), static_cast<double>(bits >> 11) * 0x1p-53);
      }
    }
  });
}

TEST(Random, AnElementDependsOnSeedAndPositionOnly) {
  for (Op op : {Op::uniform, Op::normal})
    for (DType dtype : {DType::f32, DType::f64}) {
      const Array whole = draw(op, dtype, 40000, 8);
      const Array part = draw(op, dtype, 777, 8 + 1024);
      EXPECT_TRUE(same_bits(whole.narrowed(0, 1024, 777), part));
      EXPECT_FALSE(same_bits(part, draw(op, dtype, 777, 8 + 1024, 43)));
      set_num_threads(2);
      EXPECT_TRUE(same_bits(whole, draw(op, dtype, 40000, 8)));
      set_num_threads(1);
      on_each_isa([&](const std::string&) { EXPECT_TRUE(same_bits(whole, draw(op, dtype, 40000, 8))); });
    }
}

TEST(Random, Moments) {
  constexpr std::int64_t n = 1 << 18;
  for (DType dtype : {DType::f32, DType::f64}) {
    const Array u = draw(Op::uniform, dtype, n, 0), z = draw(Op::normal, dtype, n, 0);
    long double mean = 0, first = 0, second = 0, third = 0, fourth = 0, neighbours = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      const long double x = z.get(i);
      ASSERT_TRUE(u.get(i) >= 0 && u.get(i) < 1 && std::isfinite(x));
      mean += u.get(i) / n;
      first += x / n;
      second += x * x / n;
      third += x * x * x / n;
      fourth += x * x * x * x / n;
      if (i > 0) neighbours += x * z.get(i - 1) / n;
    }
    // Five standard deviations of each estimate.
    const double unit = 5 / std::sqrt(static_cast<double>(n));
    EXPECT_NEAR(static_cast<double>(mean), 0.5, unit * 0.289);
    EXPECT_NEAR(static_cast<double>(first), 0, unit);
    EXPECT_NEAR(static_cast<double>(second), 1, unit * std::sqrt(2.0));
    EXPECT_NEAR(static_cast<double>(third), 0, unit * std::sqrt(15.0));
    EXPECT_NEAR(static_cast<double>(fourth), 3, unit * std::sqrt(96.0));
    EXPECT_NEAR(static_cast<double>(neighbours), 0, unit);
  }
}

}  // namespace
}  // namespace swage::test
