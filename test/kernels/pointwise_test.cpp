// Every pointwise op of the table against a reference in long double, over all element types and layouts.
#include <cmath>

#include <gtest/gtest.h>

#include <kernels/cpu/simd_table.hpp>
#include <runtime/core/thread_pool.hpp>
#include <test/kernels/support.hpp>

namespace swage::test {
namespace {

long double sign(long double x) { return x > 0 ? 1 : x < 0 ? -1 : x; }

// The exact result, not yet rounded. NaN wins in maximum and minimum.
long double reference(Op op, long double a, long double b, long double c) {
  switch (op) {
    case Op::neg: return -a;
    case Op::abs: return std::fabs(a);
    case Op::sign: return sign(a);
    case Op::exp: return std::exp(a);
    case Op::log: return std::log(a);
    case Op::sqrt: return std::sqrt(a);
    case Op::rsqrt: return 1 / std::sqrt(a);
    case Op::square: return a * a;
    case Op::reciprocal: return 1 / a;
    case Op::tanh: return std::tanh(a);
    case Op::sigmoid: return 1 / (1 + std::exp(-a));
    case Op::sin: return std::sin(a);
    case Op::cos: return std::cos(a);
    case Op::relu: return a < 0 ? 0 : a;
    case Op::floor: return std::floor(a);
    case Op::logical_not: return a == 0;
    case Op::copy: return a;
    case Op::add: return a + b;
    case Op::sub: return a - b;
    case Op::mul: return a * b;
    case Op::div: return a / b;
    case Op::tanh_grad: return a * ((1 - b) * (1 + b));
    case Op::sigmoid_grad: return a * (b * (1 - b));
    case Op::maximum: return std::isnan(b) || b > a ? b : a;
    case Op::minimum: return std::isnan(b) || b < a ? b : a;
    case Op::eq: return a == b;
    case Op::ne: return a != b;
    case Op::lt: return a < b;
    case Op::le: return a <= b;
    case Op::gt: return a > b;
    case Op::ge: return a >= b;
    case Op::logical_and: return a != 0 && b != 0;
    case Op::logical_or: return a != 0 || b != 0;
    case Op::assign: return b;
    case Op::where: return a != 0 ? b : c;
    default: ADD_FAILURE() << "no reference for " << name_of(op); return 0;
  }
}

double bound(Op op) {  // in units in the last place
  switch (op) {
    case Op::exp:
    case Op::log:
    case Op::tanh:
    case Op::sigmoid: return 3;
    case Op::tanh_grad:
    case Op::sigmoid_grad:
    case Op::sin:
    case Op::cos: return 2;
    case Op::rsqrt: return 1.5;
    default: return 0.5000001;
  }
}

bool takes(Op op, DType dtype) { return kind_of(op) == OpKind::pointwise && computes_with(op, dtype); }
DType operand_dtype(Op op, DType dtype, int k) {
  return info(op).dtypes == DTypeRule::select && k == 0 ? DType::boolean : dtype;
}

template <class F>
void for_each_case(F&& f) {
  for (const OpInfo& row : kOpTable)
    for (int d = 0; d < kDTypes; ++d)
      if (takes(row.op, static_cast<DType>(d))) f(row.op, static_cast<DType>(d));
}

void expect_result(Op op, DType dtype, const std::vector<Array>& operands, const Array& result) {
  std::vector<Array> full;
  for (const Array& operand : operands) full.push_back(operand.expanded(result.desc.dims));
  for (std::int64_t i = 0; i < result.numel(); ++i) {
    long double x[3] = {};
    for (std::size_t k = 0; k < full.size(); ++k) x[k] = full[k].get(i);
    const long double expected = reference(op, x[0], x[1], x[2]);
    ASSERT_LE(ulps(result.get(i), expected, result.desc.dtype), bound(op))
        << name_of(op) << " " << name_of(dtype) << " element " << i << " of " << to_string(result.desc.dims) << ": "
        << static_cast<double>(x[0]) << ", " << static_cast<double>(x[1]) << " gave " << static_cast<double>(result.get(i))
        << ", not " << static_cast<double>(expected);
  }
}

std::vector<Operand> as_operands(const std::vector<Array>& arrays) { return {arrays.begin(), arrays.end()}; }

std::vector<Array> samples(Op op, DType dtype, const std::vector<Dims>& dims) {
  std::vector<Array> operands;
  for (int k = 0; k < info(op).arity; ++k)
    operands.push_back(
        random(operand_dtype(op, dtype, k), dims[static_cast<std::size_t>(k)], 7u + static_cast<std::uint32_t>(k)));
  return operands;
}

TEST(Pointwise, EveryOpOfTheTableHasALoopForEveryTypeItTakes) {
  on_each_isa([](const std::string& isa) {
    for (const OpInfo& row : kOpTable) {
      if (row.kind != OpKind::pointwise || row.dtypes == DTypeRule::cast) continue;
      int types = 0;
      for (int d = 0; d < kDTypes; ++d) {
        const bool has = simd().pointwise[static_cast<int>(row.op)][d] != nullptr;
        EXPECT_EQ(has, computes_with(row.op, static_cast<DType>(d))) << isa << " " << row.name;
        types += has;
      }
      EXPECT_GT(types, 0) << row.name;
    }
  });
}

TEST(Pointwise, DenseLengthsAroundTheRegisterWidth) {
  on_each_isa([](const std::string&) {
    for_each_case([](Op op, DType dtype) {
      for (std::int64_t n : {0, 1, 3, 4, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 200}) {
        const auto operands = samples(op, dtype, {{n}, {n}, {n}});
        expect_result(op, dtype, operands, run(op, as_operands(operands)));
      }
      const auto operands = samples(op, dtype, {{}, {}, {}});
      expect_result(op, dtype, operands, run(op, as_operands(operands)));
    });
  });
}

TEST(Pointwise, Broadcasting) {
  const std::vector<std::vector<Dims>> shapes = {{{3, 4, 5}, {3, 4, 5}, {3, 4, 5}},
                                                 {{3, 1, 5}, {4, 5}, {3, 4, 1}},
                                                 {{6, 1}, {1, 7}, {}},
                                                 {{7}, {3, 7}, {3, 1}},
                                                 {{}, {2, 9}, {9}},
                                                 {{2, 1, 3, 1}, {5, 1, 4}, {2, 5, 3, 4}},
                                                 {{0, 3}, {1, 3}, {3}}};
  on_each_isa([&](const std::string&) {
    for_each_case([&](Op op, DType dtype) {
      for (const auto& dims : shapes) {
        const auto operands = samples(op, dtype, dims);
        if (op == Op::assign) continue;  // the result is operand 0: see InPlace
        expect_result(op, dtype, operands, run(op, as_operands(operands)));
      }
    });
  });
}

TEST(Pointwise, AnyLayout) {
  on_each_isa([](const std::string&) {
    for_each_case([](Op op, DType dtype) {
      // 6×10, laid out as transposed, every second column, a part of a larger one, one row repeated.
      const auto layout = [&](int which, DType type, std::uint32_t seed) -> Array {
        switch (which) {
          case 0: return random(type, {6, 10}, seed);
          case 1: return random(type, {10, 6}, seed).transposed();
          case 2: return random(type, {6, 20}, seed).stepped(1, 2);
          case 3: return random(type, {9, 30}, seed).narrowed(0, 2, 6).narrowed(1, 5, 10);
          default: return random(type, {1, 10}, seed).expanded({6, 10});
        }
      };
      for (int a = 0; a < 5; ++a)
        for (int b = 0; b < (info(op).arity > 1 ? 5 : 1); ++b) {
          std::vector<Array> operands;
          const int which[] = {a, b, (a + b) % 5};
          for (int k = 0; k < info(op).arity; ++k)
            operands.push_back(layout(which[k], operand_dtype(op, dtype, k), 3u + static_cast<std::uint32_t>(k)));
          if (op == Op::assign && a == 4) continue;
          expect_result(op, dtype, operands, run(op, as_operands(operands), {}, false));
        }
    });
  });
}

TEST(Pointwise, EightDimensionsPermuted) {
  const Array a = random(DType::f32, {2, 3, 1, 2, 3, 2, 1, 5}, 1).permuted({7, 0, 4, 2, 1, 6, 3, 5});
  const Array b = random(DType::f32, a.desc.dims, 2);
  expect_result(Op::sub, DType::f32, {a, b}, run(Op::sub, {a, b}));
}

TEST(Pointwise, ScalarsTakeTheTypeOfTheTensor) {
  const Array a = random(DType::f32, {37}, 1), i = random(DType::i64, {37}, 2, -9, 9);
  const Array c = random(DType::boolean, {37}, 3);
  const Array sum = run(Op::add, {a, real(0.1)}), reversed = run(Op::sub, {real(2), a}), bits = run(Op::mul, {i, integer(3)});
  const Array greater = run(Op::gt, {i, integer(2)}), chosen = run(Op::where, {c, a, real(7)});
  for (std::int64_t k = 0; k < 37; ++k) {
    EXPECT_EQ(sum.get(k), static_cast<float>(a.get(k)) + 0.1f);
    EXPECT_EQ(reversed.get(k), 2.0f - static_cast<float>(a.get(k)));
    EXPECT_EQ(bits.get(k), i.get(k) * 3);
    EXPECT_EQ(greater.get(k), i.get(k) > 2);
    EXPECT_EQ(chosen.get(k), c.get(k) != 0 ? a.get(k) : 7);
  }
}

TEST(Pointwise, InPlaceGivesTheSameBits) {
  on_each_isa([](const std::string&) {
    for_each_case([](Op op, DType dtype) {
      if (info(op).dtypes == DTypeRule::compare || (info(op).dtypes == DTypeRule::select && dtype != DType::boolean)) return;
      for (int which = 0; which < 3; ++which) {
        std::vector<Array> operands = samples(op, dtype, {{12, 12}, {12, 1}, {12}});
        if (which == 1) operands[0] = operands[0].transposed();
        if (which == 2) operands[0] = operands[0].narrowed(1, 1, 11).stepped(0, 3);
        if (which == 2)
          for (std::size_t k = 1; k < operands.size(); ++k) operands[k] = random(dtype, {k == 1 ? 4 : 1, k == 1 ? 1 : 11}, 5);
        const Array expected = run(op, as_operands(operands));
        const Array result = run(op, as_operands(operands), {}, true);
        EXPECT_TRUE(same_bits(expected, result)) << name_of(op) << " " << name_of(dtype) << " " << which;
      }
    });
  });
}

TEST(Pointwise, InPlaceReadsOverlappingViewsAsTheyWere) {
  for (std::int64_t n : {5, 40, 300}) {
    Array a = random(DType::f32, {n, n}, 1);
    const Array expected = run(Op::add, {a, a.contiguous().transposed()});
    run(Op::add, {a, a.transposed()}, {}, true);
    EXPECT_TRUE(same_bits(a, expected)) << n;

    Array b = random(DType::f32, {n + 1}, 2);
    const Array shifted = b.contiguous().narrowed(0, 0, n);
    const Array sum = run(Op::add, {b.narrowed(0, 1, n), shifted});
    run(Op::add, {b.narrowed(0, 1, n), b.narrowed(0, 0, n)}, {}, true);
    EXPECT_TRUE(same_bits(b.narrowed(0, 1, n), sum)) << n;

    Array c = random(DType::f32, {n, n}, 3);
    const Array doubled = run(Op::add, {c, c});
    run(Op::add, {c, c}, {}, true);
    EXPECT_TRUE(same_bits(c, doubled));
  }
}

TEST(Pointwise, AnyNumberOfThreadsGivesTheSameBits) {
  const Array a = random(DType::f32, {300, 401}, 1), b = random(DType::f32, {401, 300}, 2).transposed();
  const Array flat = run(Op::tanh, {a}), mixed = run(Op::mul, {a, b});
  set_num_threads(2);
  EXPECT_TRUE(same_bits(flat, run(Op::tanh, {a})));
  EXPECT_TRUE(same_bits(mixed, run(Op::mul, {a, b})));
  set_num_threads(1);
}

TEST(Pointwise, SpecialValues) {
  const long double inf = HUGE_VALL, nan = std::nanl("");
  const std::vector<long double> values = {0.0L,    -0.0L, 1,      -1,  inf,  -inf, nan,   1e-45L,
                                           -1e-45L, 3e38L, -3e38L, 100, -100, 0.5L, 88.8L, -87.5L};
  const auto n = static_cast<std::int64_t>(values.size());
  on_each_isa([&](const std::string& isa) {
    for (DType dtype : {DType::f32, DType::f64}) {
      const Array a = from(dtype, {n, 1}, [&](std::int64_t i) { return values[static_cast<std::size_t>(i)]; });
      const Array b = from(dtype, {n}, [&](std::int64_t i) { return values[static_cast<std::size_t>(i)]; });
      for_each_case([&](Op op, DType type) {
        if (type != dtype || info(op).arity > 2 || op == Op::assign) return;
        // Beyond the range in which sine and cosine are claimed to be accurate.
        if (op == Op::sin || op == Op::cos) return;
        if (op == Op::tanh_grad || op == Op::sigmoid_grad) return;  // their second operand is a tanh, a sigmoid
        const std::vector<Array> operands = info(op).arity == 1 ? std::vector{a} : std::vector{a, b};
        SCOPED_TRACE(isa);
        const Array result = run(op, as_operands(operands));
        if (op != Op::exp && op != Op::sigmoid) return expect_result(op, dtype, operands, result);
        for (std::int64_t i = 0; i < n; ++i)  // subnormal results of sigmoid may be zero
          ASSERT_LE(ulps(result.get(i), reference(op, a.get(i), 0, 0), dtype), a.get(i) == -100 ? 30 : 3)
              << name_of(op) << " " << static_cast<double>(a.get(i));
      });
    }
  });
}

TEST(Cast, AllPairs) {
  const long double inf = HUGE_VALL;
  const std::vector<long double> values = {0,   1,     -1,      2.75L, -2.75L, 1e30L, -1e30L, inf, -inf, std::nanl(""),
                                           255, 1e-3L, 9.3e18L, 4e9L,  -4e9L};
  const auto n = static_cast<std::int64_t>(values.size());
  on_each_isa([&](const std::string&) {
    for (int f = 0; f < kDTypes; ++f)
      for (int t = 0; t < kDTypes; ++t) {
        const DType from_type = static_cast<DType>(f), to = static_cast<DType>(t);
        const Array a = from(from_type, {n, 3}, [&](std::int64_t i) -> long double {
          const long double x = values[static_cast<std::size_t>(i / 3)];
          if (is_float(from_type)) return x;
          return std::isnan(x) || std::fabs(x) > 9e18L ? 5 : x;
        });
        const Attribute attribute{{}, 0, to};
        for (const Array& operand : {a, a.contiguous().transposed(), a.stepped(0, 2)}) {
          const Array result = run(Op::cast, {operand}, attribute);
          for (std::int64_t i = 0; i < result.numel(); ++i) {
            const long double x = operand.get(i);
            long double expected = x;
            if (to == DType::boolean) expected = x != 0;
            if (to == DType::i64)
              expected = std::isnan(x) ? 0 : x >= 0x1p63L ? 0x1p63L - 1 : x <= -0x1p63L ? -0x1p63L : std::trunc(x);
            if (to == DType::f32) expected = static_cast<float>(static_cast<double>(x));
            if (to == DType::f32 && from_type == DType::i64) expected = static_cast<float>(static_cast<std::int64_t>(x));
            if (to == DType::f64) expected = static_cast<double>(x);
            EXPECT_TRUE(result.get(i) == expected || (std::isnan(expected) && std::isnan(result.get(i))))
                << name_of(from_type) << " to " << name_of(to) << ": " << static_cast<double>(x);
          }
        }
      }
  });
}

}  // namespace
}  // namespace swage::test
