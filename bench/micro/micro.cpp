#include <bench/micro/micro.hpp>

#include <cmath>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include <bench/micro/clock.hpp>
#include <bench/micro/compile_times.hpp>
#include <bench/micro/pause.hpp>
#include <bench/micro/programs.hpp>
#include <swage/swage.hpp>

namespace swage::bench {
namespace {

// With quick: repetitions where many are needed to find a quiet moment, and where a few do.
struct Repetitions {
  int many, few;
};

// Costs of the hot path. Every figure is the median of its repetitions.
class Overheads {
 public:
  Overheads(Repetitions repetitions, double add_ns) : repetitions_(repetitions), add_ns_(add_ns) {}

  double eager_op() {
    set_tier(Tier::eager);
    std::vector<double> times;
    for (int i = 0; i < repetitions_.many; ++i) {
      const auto start = Clock::now();
      const Tensor z = added(x_, y_, 100);
      times.push_back(nanoseconds(Clock::now() - start) / 100);
      swage::step();
    }
    return median(times);
  }

  Figure defer() {
    set_tier(Tier::compiled);
    const auto window = [&] {
      Tensor a = x_;
      for (int k = 0; k < 100; ++k) a = a + y_;
      swage::step();
    };
    if (!heat(window)) return {};
    return median_ns(window) / 100 - add_ns_;
  }

  Figure defer_gradients() {
    set_tier(Tier::compiled);
    const Tensor weight = randn({16}).requires_grad_(), gradient = ones({16});
    const auto window = [&] {
      Tensor a = x_;
      for (int k = 0; k < 100; ++k) a = a + weight;
      a.backward(gradient);
      weight.set_grad({});
      swage::step();
    };
    if (!heat(window)) return {};
    const std::uint64_t before = stats().ops;
    window();
    const auto ops = static_cast<double>(stats().ops - before);
    return median_ns(window) / ops - add_ns_;
  }

  Figure plan_hit(int n) {
    set_tier(Tier::compiled);
    if (!heat([&] {
          const Tensor z = added(x_, y_, n);
          swage::step();
        }))
      return {};
    std::vector<double> times;
    for (int i = 0; i < repetitions_.many; ++i) {
      const Tensor z = added(x_, y_, n);
      const auto recorded = Clock::now();
      swage::step();
      times.push_back(nanoseconds(Clock::now() - recorded));
    }
    return (median(times) - n * add_ns_) / 1000;
  }

  // Leaves a path of 100 ops after 50, give or take, each time at another place and by ops that have not followed there before: where a
  // path is left again and again it is no longer left (runtime/engine/forks.cpp), and operands of new extents would be learned.
  Figure exit() {
    const auto known = [&] {
      const Tensor z = added(x_, y_, 100);
      swage::step();
    };
    constexpr int kOthers = 5;
    const auto leaving = [&](std::uint64_t variant) {
      const auto start = Clock::now();
      const int place = 50 - repetitions_.few / 2 + static_cast<int>(variant);
      const Tensor z = drawn_ops(tanh(added(x_, y_, place)), y_, kOthers, variant);
      swage::step();
      return nanoseconds(Clock::now() - start);
    };
    set_tier(Tier::eager);
    std::vector<double> eager, left;
    for (int i = 0; i < repetitions_.few; ++i) eager.push_back(leaving(static_cast<std::uint64_t>(i)));
    set_tier(Tier::compiled);
    for (int i = 0; i < repetitions_.few; ++i) {
      if (!heat(known)) return {};
      const std::uint64_t exits = stats().side_exits;
      const double ns = leaving(static_cast<std::uint64_t>(i));
      if (stats().side_exits > exits) left.push_back(ns);
    }
    if (left.empty()) return {};
    return (median(left) - median(eager)) / 1000;
  }

 private:
  template <class Window>
  double median_ns(const Window& window) const {
    std::vector<double> times;
    for (int i = 0; i < repetitions_.many; ++i) {
      const auto start = Clock::now();
      window();
      times.push_back(nanoseconds(Clock::now() - start));
    }
    return median(times);
  }

  Repetitions repetitions_;
  double add_ns_;
  Tensor x_ = randn({16}), y_ = randn({16});
};

nlohmann::ordered_json rounded(Figure figure, double unit) {
  if (!figure) return {};
  return std::round(*figure / unit) * unit;
}

template <class Key>
nlohmann::ordered_json rounded(const std::map<Key, Figure>& figures, double unit) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const auto& [key, figure] : figures) json[std::to_string(key)] = rounded(figure, unit);
  return json;
}

nlohmann::ordered_json rounded(const std::map<std::string, double>& figures) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const auto& [key, figure] : figures) json[key] = rounded(figure, 0.125);
  return json;
}

}  // namespace

MicroFigures measure_micro(const MicroSettings& settings) {
  manual_seed(1);
  const EngineOptions before = engine_options();
  EngineOptions options = before;
  options.weigh_cost = false;
  options.remember = false;  // compile times are of code that is generated
  set_engine_options(options);

  MicroFigures figures;
  figures.limits = measure_limits(settings.quick);
  Overheads overheads(settings.quick ? Repetitions{200, 10} : Repetitions{4000, 60}, figures.limits.add_ns);
  figures.eager_op_ns = overheads.eager_op();
  figures.defer_ns = overheads.defer();
  figures.defer_grad_ns = overheads.defer_gradients();
  for (int n : {10, 100, 1000}) figures.plan_hit_us[n] = overheads.plan_hit(n);
  figures.exit_us = overheads.exit();
  for (int n : {1, 10, 100}) figures.compile_ms[n] = compile_ms(n, settings.quick ? 3 : 9);
  figures.compile_ms[300] = compile_transformer_ms(300, settings.quick ? 1 : 5);
  figures.load_ms = load_ms(100, settings.quick ? 3 : 9);
  figures.pause_us = pause_us(settings.quick ? 0.3 : 10);
  figures.record_bytes = sizeof(KeyHalf) + sizeof(ValueHalf);

  forget_traces();
  set_engine_options(before);
  return figures;
}

nlohmann::ordered_json to_json(const MicroFigures& figures) {
  return {{"defer_ns", rounded(figures.defer_ns, 0.125)},
          {"defer_grad_ns", rounded(figures.defer_grad_ns, 0.125)},
          {"eager_op_ns", rounded(figures.eager_op_ns, 0.125)},
          {"plan_hit_us", rounded(figures.plan_hit_us, 1.0 / 1024)},
          {"exit_us", rounded(figures.exit_us, 1.0 / 128)},
          {"compile_ms", rounded(figures.compile_ms, 1.0 / 1024)},
          {"load_ms", rounded(figures.load_ms, 1.0 / 1024)},
          {"pause_us", rounded(figures.pause_us, 0.125)},
          {"record_bytes", figures.record_bytes},
          {"limits",
           {{"fma_gflops", rounded(figures.limits.fma_gflops, 0.125)},
            {"sgemm_gflops", rounded(figures.limits.sgemm_gflops, 0.125)},
            {"copy_gbs", rounded(figures.limits.copy_gbs)},
            {"axpy_gbs", rounded(figures.limits.axpy_gbs)},
            {"timer_ns", rounded(figures.limits.timer_ns, 0.125)},
            {"add_ns", rounded(figures.limits.add_ns, 1.0 / 128)}}}};
}

}  // namespace swage::bench
