#include <bench/micro/compile_times.hpp>

#include <bench/harness/workload.hpp>
#include <bench/micro/clock.hpp>
#include <bench/micro/programs.hpp>
#include <runtime/engine/event_log.hpp>

namespace swage::bench {
namespace {

// What assembling a plan took, after `since` (ns since the process began).
std::optional<double> assembled_ms(std::uint64_t since) {
  for (const Event& event : event_log().events())
    if (event.ns >= since && event.code == EventCode::assembled) return event.value / 1000.0;
  return {};
}

// The same of compiling the first trace that was kept after it. (Where a plan needs no code of its own, it is only assembled.)
std::optional<double> first_compiled_ms(std::uint64_t since) {
  std::uint32_t first = 0;
  for (const Event& event : event_log().events()) {
    if (event.ns < since) continue;
    if (event.code == EventCode::kept && first == 0) first = event.trace;
    const bool published = event.code == EventCode::compiled || event.code == EventCode::assembled;
    if (published && event.trace == first && first != 0) return event.value / 1000.0;
  }
  return {};
}

}  // namespace

std::optional<double> compile_ms(int n, int traces) {
  set_tier(Tier::compiled);
  const Tensor x = randn({16}), y = randn({16});
  std::vector<double> times;
  for (int trace = 0; trace < traces; ++trace) {
    forget_traces();
    forget_code();
    const std::uint64_t since = nanoseconds_since_start();
    // One op leaves eight programs.
    const auto variant = static_cast<std::uint64_t>(trace) + (n == 1 ? 0 : 1000 * static_cast<std::uint64_t>(n));
    heat([&] {
      const Tensor z = drawn_ops(x, y, n, variant);
      swage::step();
    });
    const std::optional<double> took = first_compiled_ms(since);
    if (!took) return {};
    times.push_back(*took);
  }
  return median(times);
}

std::optional<double> load_ms(int n, int traces) {
  const EngineOptions before = engine_options();
  EngineOptions options = before;
  options.tier = Tier::compiled;
  options.remember = true;
  set_engine_options(options);
  const Tensor x = randn({16}), y = randn({16});
  std::vector<double> times;
  for (int trace = 0; trace < traces; ++trace) {
    const auto window = [&] {
      const Tensor z = drawn_ops(x, y, n, 2'000'000 + static_cast<std::uint64_t>(trace));
      swage::step();
    };
    heat(window);  // stores what it compiles
    forget_traces();
    forget_code();
    const std::uint64_t since = nanoseconds_since_start();
    heat(window);
    if (const std::optional<double> took = assembled_ms(since)) times.push_back(*took);
  }
  set_engine_options(before);
  if (times.empty()) return {};
  return median(times);
}

std::optional<double> compile_transformer_ms(int n, int times) {
  const WorkloadInfo* const info = find_workload("transformer");
  if (!info) return {};
  const EngineOptions before = engine_options();
  const auto transformer = info->make({});
  swage::step();
  EngineOptions options = before;
  options.tier = Tier::compiled;
  options.soft_window_limit = options.hard_window_limit = static_cast<std::uint32_t>(n);
  set_engine_options(options);
  std::vector<double> took;
  for (int i = 0; i < times; ++i) {
    forget_traces();
    forget_code();
    const std::uint64_t since = nanoseconds_since_start();
    std::optional<double> ms;
    for (int step = 0; step < 20 && !ms; ++step) {
      transformer->step();
      wait_for_compiler();
      ms = first_compiled_ms(since);
    }
    if (ms) took.push_back(*ms);
  }
  forget_traces();
  set_engine_options(before);
  if (took.empty()) return {};
  return median(took);
}

}  // namespace swage::bench
