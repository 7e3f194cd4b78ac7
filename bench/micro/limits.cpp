#include <bench/micro/limits.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <unistd.h>
#include <vector>

#include <bench/micro/clock.hpp>
#include <swage/swage.hpp>

namespace swage::bench {
namespace {

// The loops below are built for both vector lengths; each is called only where the CPU has it. Rounding keeps the compiler from
// shortening them, for the build knows no fast-math, and `noipa` from knowing their numbers.
using V8 = float __attribute__((vector_size(32)));
using V16 = float __attribute__((vector_size(64)));

constexpr int kChains = 10;  // more than latency times throughput of any CPU, fewer than there are registers

template <class V>
[[gnu::always_inline]] inline void fma_loop(float* data, std::int64_t rounds) {
  V sums[kChains];
#pragma GCC unroll 16
  for (int i = 0; i < kChains; ++i) sums[i] = V{} + data[i];
  const V factor = V{} + data[0], addend = V{} + data[1];
  for (std::int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) sums[i] = sums[i] * factor + addend;
  }
#pragma GCC unroll 16
  for (int i = 1; i < kChains; ++i) sums[0] += sums[i];
  data[0] = sums[0][0];
}
template <class V>
[[gnu::always_inline]] inline void copy_loop(const float* a, float* b, std::int64_t n) {
  constexpr int kLanes = sizeof(V) / sizeof(float);
  for (std::int64_t i = 0; i < n; i += 4 * kLanes)
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) *reinterpret_cast<V*>(b + i + j * kLanes) = *reinterpret_cast<const V*>(a + i + j * kLanes);
}
template <class V>
[[gnu::always_inline]] inline void axpy_loop(const float* a, const float* b, float* c, std::int64_t n) {
  constexpr int kLanes = sizeof(V) / sizeof(float);
  const V scale = V{} + 0.1F;
  for (std::int64_t i = 0; i < n; i += 2 * kLanes)
#pragma GCC unroll 4
    for (int j = 0; j < 2; ++j) {
      const std::int64_t k = i + j * kLanes;
      *reinterpret_cast<V*>(c + k) = *reinterpret_cast<const V*>(a + k) + scale * *reinterpret_cast<const V*>(b + k);
    }
}
template <class V>
[[gnu::always_inline]] inline void add_loop(float* data, std::int64_t rounds) {
  constexpr int kVectors = 16 * sizeof(float) / sizeof(V);
  V sums[kVectors];
#pragma GCC unroll 4
  for (int i = 0; i < kVectors; ++i) sums[i] = V{} + data[i];
  const V addend = V{} + data[2];
  for (std::int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i) sums[i] += addend;
  }
#pragma GCC unroll 4
  for (int i = 1; i < kVectors; ++i) sums[0] += sums[i];
  data[0] = sums[0][0];
}

// The build forbids contraction (-ffp-contract=off), but here a fused operation is what is asked for.
#define SWAGE_WIDE [[gnu::target("avx512f,fma"), gnu::optimize("fp-contract=fast"), gnu::noipa]]
#define SWAGE_NARROW [[gnu::target("avx2,fma"), gnu::optimize("fp-contract=fast"), gnu::noipa]]
SWAGE_WIDE void fma_wide(float* data, std::int64_t rounds) { fma_loop<V16>(data, rounds); }
SWAGE_NARROW void fma_narrow(float* data, std::int64_t rounds) { fma_loop<V8>(data, rounds); }
SWAGE_WIDE void copy_wide(const float* a, float* b, std::int64_t n) { copy_loop<V16>(a, b, n); }
SWAGE_NARROW void copy_narrow(const float* a, float* b, std::int64_t n) { copy_loop<V8>(a, b, n); }
SWAGE_WIDE void axpy_wide(const float* a, const float* b, float* c, std::int64_t n) { axpy_loop<V16>(a, b, c, n); }
SWAGE_NARROW void axpy_narrow(const float* a, const float* b, float* c, std::int64_t n) { axpy_loop<V8>(a, b, c, n); }
SWAGE_WIDE void add_wide(float* data, std::int64_t rounds) { add_loop<V16>(data, rounds); }
SWAGE_NARROW void add_narrow(float* data, std::int64_t rounds) { add_loop<V8>(data, rounds); }
#undef SWAGE_WIDE
#undef SWAGE_NARROW

bool wide() { return __builtin_cpu_supports("avx512f") != 0; }

struct AlignedDelete {
  void operator()(float* data) const { ::operator delete[](data, std::align_val_t{64}); }
};
std::unique_ptr<float[], AlignedDelete> ones(std::int64_t n) {
  std::unique_ptr<float[], AlignedDelete> data(new (std::align_val_t{64}) float[static_cast<std::size_t>(n)]);
  std::fill_n(data.get(), n, 1.0F);
  return data;
}

// The fastest of several runs of `seconds` in all: limits are limits. `run` does some work once.
template <class F>
double fastest_ns(double seconds, F&& run) {
  double best = 1e300;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  do {
    const auto start = Clock::now();
    run();
    best = std::min(best, nanoseconds(Clock::now() - start));
  } while (Clock::now() < end);
  return best;
}

double fma_gflops(double seconds) {
  constexpr std::int64_t kRounds = 100'000;
  float data[16] = {1, 0};
  const double ns = fastest_ns(seconds, [&] { wide() ? fma_wide(data, kRounds) : fma_narrow(data, kRounds); });
  return 2.0 * kRounds * kChains * (wide() ? 16 : 8) / ns;
}

double sgemm_gflops(double seconds) {
  constexpr std::int64_t kN = 1024;
  set_tier(Tier::eager);
  const Tensor a = randn({kN, kN}), b = randn({kN, kN});
  const double ns = fastest_ns(seconds, [&] {
    const Tensor c = matmul(a, b);
    swage::step();
  });
  return 2.0 * kN * kN * kN / ns;
}

// Enough passes over `n` elements for a million in all, so that the clock does not count.
std::int64_t passes_over(std::int64_t n) { return std::max<std::int64_t>(1, 1'000'000 / n); }

double copy_gbs(std::int64_t bytes, double seconds) {
  const std::int64_t n = bytes / 8 / 64 * 64, passes = passes_over(n);
  const auto a = ones(n), b = ones(n);
  const double ns = fastest_ns(seconds, [&] {
    for (std::int64_t p = 0; p < passes; ++p) wide() ? copy_wide(a.get(), b.get(), n) : copy_narrow(a.get(), b.get(), n);
  });
  return static_cast<double>(8 * n * passes) / ns;
}

double axpy_gbs(std::int64_t bytes, double seconds) {
  const std::int64_t n = bytes / 12 / 64 * 64, passes = passes_over(n);
  const auto a = ones(n), b = ones(n), c = ones(n);
  const double ns = fastest_ns(seconds, [&] {
    for (std::int64_t p = 0; p < passes; ++p)
      wide() ? axpy_wide(a.get(), b.get(), c.get(), n) : axpy_narrow(a.get(), b.get(), c.get(), n);
  });
  return static_cast<double>(12 * n * passes) / ns;
}

// Working sets by name; levels that the system does not know are left out.
std::map<std::string, std::int64_t> working_sets() {
  std::map<std::string, std::int64_t> sets;
  std::int64_t last = 1 << 20;
  const std::pair<const char*, int> levels[] = {
      {"l1", _SC_LEVEL1_DCACHE_SIZE}, {"l2", _SC_LEVEL2_CACHE_SIZE}, {"l3", _SC_LEVEL3_CACHE_SIZE}};
  for (const auto& [name, what] : levels) {
    const std::int64_t bytes = sysconf(what);
    if (bytes <= 0) continue;
    sets[name] = bytes / 2;
    last = std::max(last, bytes);
  }
  sets["memory"] = std::min<std::int64_t>(4 * last, std::int64_t{512} << 20);
  return sets;
}

}  // namespace

Limits measure_limits(bool quick) {
  const double seconds = quick ? 0.02 : 0.2;
  Limits limits;
  limits.fma_gflops = fma_gflops(seconds);
  limits.sgemm_gflops = sgemm_gflops(2 * seconds);
  for (const auto& [name, bytes] : working_sets()) {
    limits.copy_gbs[name] = copy_gbs(bytes, seconds);
    limits.axpy_gbs[name] = axpy_gbs(bytes, seconds);
  }
  constexpr int kReadings = 1000;
  limits.timer_ns = fastest_ns(seconds,
                               [] {
                                 for (int i = 0; i < kReadings; ++i) static_cast<void>(Clock::now());
                               }) /
                    kReadings;
  float data[16] = {1, 0};
  constexpr std::int64_t kAdds = 10'000;
  limits.add_ns = fastest_ns(seconds, [&] { wide() ? add_wide(data, kAdds) : add_narrow(data, kAdds); }) / kAdds;
  return limits;
}

}  // namespace swage::bench
