#include <bench/harness/digest.hpp>

#include <bit>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace swage::bench {
namespace {

std::uint64_t digest_of(const Tensor& tensor) {
  Digest digest;
  digest.add(tensor);
  return digest.value();
}

Tensor floats(const std::vector<float>& values) { return tensor(values, {static_cast<std::int64_t>(values.size())}); }

TEST(Digest, SeesEveryElement) {
  for (std::size_t n : {1U, 3U, 4U, 5U, 17U}) {
    std::vector<float> values(n, 1.0F);
    const std::uint64_t before = digest_of(floats(values));
    EXPECT_EQ(before, digest_of(floats(values)));
    for (std::size_t i = 0; i < n; ++i) {
      auto changed = values;
      changed[i] = std::nextafter(1.0F, 2.0F);
      EXPECT_NE(before, digest_of(floats(changed))) << "element " << i << " of " << n;
    }
  }
}

TEST(Digest, SeesTheOrder) { EXPECT_NE(digest_of(floats({1, 2, 3, 4, 5})), digest_of(floats({5, 2, 3, 4, 1}))); }

TEST(Digest, TakesAllNaNsForOne) {
  const float quiet = std::numeric_limits<float>::quiet_NaN();
  const auto payload = std::bit_cast<float>(std::bit_cast<std::uint32_t>(quiet) | 0x80000123U);
  EXPECT_EQ(digest_of(floats({1, quiet})), digest_of(floats({1, payload})));
  EXPECT_NE(digest_of(floats({1, quiet})), digest_of(floats({1, 0})));
}

TEST(Digest, TellsTheZerosApart) { EXPECT_NE(digest_of(floats({0.0F})), digest_of(floats({-0.0F}))); }

TEST(Digest, SeesShapeAndType) {
  const Tensor x = zeros({2, 3});
  EXPECT_NE(digest_of(x), digest_of(zeros({3, 2})));
  EXPECT_NE(digest_of(x), digest_of(zeros({6})));
  EXPECT_NE(digest_of(x), digest_of(zeros({2, 3}, DType::f64)));
  EXPECT_NE(digest_of(x), digest_of(Tensor()));
}

TEST(Digest, DependsOnTheElementsNotOnTheirPlace) {
  const Tensor x = randn({4, 6});
  EXPECT_EQ(digest_of(x.t()), digest_of(x.t().clone()));
  EXPECT_EQ(digest_of(x.narrow(1, 2, 3)), digest_of(x.narrow(1, 2, 3).clone()));
  EXPECT_NE(digest_of(x.t()), digest_of(x));
}

TEST(Digest, GoesOnFromItsValue) {
  const Tensor x = randn({7}), y = randn({3});
  Digest whole;
  whole.add(x);
  Digest resumed(whole.value());
  whole.add(y);
  resumed.add(y);
  EXPECT_EQ(whole.text(), resumed.text());
}

TEST(Digest, RecordsNoOp) {
  const Tensor x = randn({4, 6}).t();
  step();
  const std::uint64_t ops = stats().ops;
  digest_of(x);
  EXPECT_EQ(stats().ops, ops);
}

TEST(RootMeanSquare, IsOverAllElementsOfAllTensors) {
  const std::vector<Tensor> tensors = {floats({1, -7}), tensor({5.0, -5.0, 7.0, 0.0}, DType::f64).narrow(0, 0, 2)};
  EXPECT_DOUBLE_EQ(root_mean_square(tensors), 5);
  EXPECT_EQ(root_mean_square({}), 0);
}

}  // namespace
}  // namespace swage::bench
