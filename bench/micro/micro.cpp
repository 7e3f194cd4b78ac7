#include <bench/micro/micro.hpp>

#include <algorithm>
#include <chrono>
#include <vector>

#include <swage/swage.hpp>

namespace swage::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kRepetitions = 400;

double nanoseconds(Clock::duration duration) { return std::chrono::duration<double, std::nano>(duration).count(); }

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

// `n` dependent ops on 16 elements. The variant decides which, so that each variant is another trace.
Tensor program(const Tensor& x, const Tensor& y, int n, int variant) {
  Tensor z = x;
  for (int k = 0; k < n; ++k) {
    switch ((variant * (k + 3) + k / 7) % 4) {
      case 0: z = z + y; break;
      case 1: z = z * y; break;
      case 2: z = maximum(z, y); break;
      default: z = z - y;
    }
  }
  return z;
}

class Bench {
 public:
  MicroFigures run() {
    MicroFigures figures;
    figures.eager_op_ns = eager_op();
    EngineOptions options = engine_options();
    options.tier = Tier::compiled;
    options.weigh_cost = false;
    options.remember = false;  // compile times are of code that is generated
    set_engine_options(options);
    figures.hit_10_us = plan_hit(10).hit_us;
    const Hit long_hit = plan_hit(100);
    figures.hit_100_us = long_hit.hit_us;
    figures.deferred_op_ns = long_hit.op_ns;
    figures.compile_10_ms = compile_time(10);
    figures.compile_100_ms = compile_time(100);
    return figures;
  }

 private:
  double eager_op() {
    EngineOptions options = engine_options();
    options.tier = Tier::eager;
    set_engine_options(options);
    std::vector<double> times;
    for (int i = 0; i < kRepetitions; ++i) {
      constexpr int kOps = 100;
      Tensor z = x_;
      const auto start = Clock::now();
      for (int k = 0; k < kOps; ++k) z = z + y_;
      times.push_back(nanoseconds(Clock::now() - start) / kOps);
      swage::step();
    }
    return median(times);
  }

  // Runs a program until a plan carries it.
  bool heat(int n, int variant) {
    forget_traces();
    forget_code();
    const std::uint64_t hits = stats().hits;
    for (int i = 0; i < 200 && stats().hits == hits; ++i) {
      const Tensor z = program(x_, y_, n, variant);
      swage::step();
      wait_for_compiler();
    }
    return stats().hits > hits;
  }

  struct Hit {
    std::optional<double> hit_us;
    double op_ns = 0;
  };
  Hit plan_hit(int n) {
    const bool hot = heat(n, 1);
    std::vector<double> recorded, settled;
    for (int i = 0; i < kRepetitions; ++i) {
      const auto start = Clock::now();
      const Tensor z = program(x_, y_, n, 1);
      const auto issued = Clock::now();
      swage::step();
      settled.push_back(nanoseconds(Clock::now() - issued) / 1000);
      recorded.push_back(nanoseconds(issued - start) / n);
    }
    Hit hit{.hit_us = {}, .op_ns = median(recorded)};
    if (hot) hit.hit_us = median(settled);
    return hit;
  }

  std::optional<double> compile_time(int n) {
    std::vector<double> times;
    for (int variant = 0; variant < 12; ++variant) {
      const double before = stats().compile_ms_total;
      if (heat(n, variant)) times.push_back(stats().compile_ms_total - before);
    }
    if (times.empty()) return {};
    return median(times);
  }

  Tensor x_ = randn({16}), y_ = randn({16});
};

}  // namespace

MicroFigures measure_micro() {
  manual_seed(1);
  const EngineOptions options = engine_options();
  const MicroFigures figures = Bench().run();
  forget_traces();
  set_engine_options(options);
  return figures;
}

}  // namespace swage::bench
