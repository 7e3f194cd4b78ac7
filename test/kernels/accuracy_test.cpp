// The bounds that runtime/ops/scalar_language.hpp claims, on dense samples. f32 in units of the last place against f64's
// mathematics library, f64 against long double's.
#include <cmath>

#include <gtest/gtest.h>

#include <test/kernels/support.hpp>

namespace swage::test {
namespace {

struct Claim {
  Op op;
  long double (*exact)(long double);
  double f32_low, f32_high, f64_low, f64_high;
  double f32_bound, f64_bound;
};

const Claim kClaims[] = {
    {Op::exp, std::exp, -87, 88.7, -708, 709.7, 2, 3},
    {Op::log, std::log, 1e-38, 100, 1e-300, 100, 2, 3},
    {Op::log, std::log, 0.5, 2, 0.5, 2, 2, 3},
    {Op::tanh, std::tanh, -10, 10, -22, 22, 3, 3},
    {Op::tanh, std::tanh, -0.1, 0.1, -0.1, 0.1, 3, 3},
    {Op::sigmoid, [](long double x) { return 1 / (1 + std::exp(-x)); }, -87, 90, -700, 700, 3, 3},
    {Op::sigmoid, [](long double x) { return 1 / (1 + std::exp(-x)); }, -5, 5, -5, 5, 3, 3},
    {Op::sin, std::sin, -1e4, 1e4, -1e6, 1e6, 2, 2},
    {Op::sin, std::sin, -4, 4, -4, 4, 2, 2},
    {Op::cos, std::cos, -1e4, 1e4, -1e6, 1e6, 2, 2},
    {Op::cos, std::cos, -4, 4, -4, 4, 2, 2},
};

TEST(Accuracy, WithinTheClaimedBounds) {
  constexpr std::int64_t n = 400000;
  for (const Claim& claim : kClaims)
    for (DType dtype : {DType::f32, DType::f64}) {
      const bool f32 = dtype == DType::f32;
      const double low = f32 ? claim.f32_low : claim.f64_low, high = f32 ? claim.f32_high : claim.f64_high;
      const Array x = random(dtype, {n}, 11, low, high);
      const Array y = run(claim.op, {x});
      double worst = 0;
      long double where = 0;
      for (std::int64_t i = 0; i < n; ++i) {
        const double error = ulps(y.get(i), claim.exact(x.get(i)), dtype);
        if (error > worst) worst = error, where = x.get(i);
      }
      EXPECT_LE(worst, f32 ? claim.f32_bound : claim.f64_bound)
          << name_of(claim.op) << " " << name_of(dtype) << " at " << static_cast<double>(where);
      RecordProperty(std::string(name_of(claim.op)) + "_" + std::string(name_of(dtype)), std::to_string(worst));
    }
}

// Near the multiples of π/2 where reduction loses most, and across all exponents for log.
TEST(Accuracy, HardArguments) {
  for (DType dtype : {DType::f32, DType::f64}) {
    const Array x =
        from(dtype, {6000}, [](std::int64_t i) { return static_cast<long double>(i + 1) * 1.57079632679489661923L; });
    const Array s = run(Op::sin, {x}), c = run(Op::cos, {x});
    for (std::int64_t i = 0; i < x.numel(); ++i) {
      EXPECT_LE(ulps(s.get(i), std::sin(x.get(i)), dtype), 2) << "sin " << static_cast<double>(x.get(i));
      EXPECT_LE(ulps(c.get(i), std::cos(x.get(i)), dtype), 2) << "cos " << static_cast<double>(x.get(i));
    }
    const int least = dtype == DType::f32 ? -149 : -1070;
    const Array p = from(dtype, {-least}, [&](std::int64_t i) { return std::ldexp(1.25L, least + 3 + static_cast<int>(i)); });
    const Array l = run(Op::log, {p});
    for (std::int64_t i = 0; i < p.numel(); ++i)
      EXPECT_LE(ulps(l.get(i), std::log(p.get(i)), dtype), dtype == DType::f32 ? 2 : 3) << static_cast<double>(p.get(i));
  }
}

}  // namespace
}  // namespace swage::test
