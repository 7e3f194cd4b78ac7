#include <bench/harness/report.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace swage::bench {
namespace {

double rounded(double value, int digits) {
  const double scale = std::pow(10.0, digits);
  return std::round(value * scale) / scale;
}

template <class T>
nlohmann::ordered_json or_null(const std::optional<T>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json();
}

std::string loss_text(const std::optional<double>& loss) { return loss ? fmt::format("{:.4f}", *loss) : "none"; }

}  // namespace

double percentile(const std::vector<double>& sorted, double fraction) {
  if (sorted.empty()) return 0;
  const auto rank = static_cast<std::size_t>(std::ceil(fraction * static_cast<double>(sorted.size())));
  return sorted[std::clamp<std::size_t>(rank, 1, sorted.size()) - 1];
}

void Report::set_step_times(std::vector<double> microseconds, std::int64_t units) {
  if (microseconds.empty()) return;
  const double total = std::accumulate(microseconds.begin(), microseconds.end(), 0.0);
  first_step_ms = microseconds.front() / 1000;
  units_per_s = static_cast<double>(units) / total * 1e6;
  std::sort(microseconds.begin(), microseconds.end());
  step_us_p50 = percentile(microseconds, 0.5);
  step_us_p99 = percentile(microseconds, 0.99);
  step_us_max = microseconds.back();
}

nlohmann::ordered_json to_json(const Report& report) {
  nlohmann::ordered_json json = {
      {"workload", report.workload},
      {"device", report.device},
      {"tier", report.tier},
      {"threads", report.threads},
      {"seed", report.seed},
      {"steps", report.steps},
      {"unit", report.unit},
      {"units_per_s", rounded(report.units_per_s, 2)},
      {"step_us",
       {{"p50", rounded(report.step_us_p50, 3)},
        {"p99", rounded(report.step_us_p99, 3)},
        {"max", rounded(report.step_us_max, 3)}}},
      {"first_step_ms", rounded(report.first_step_ms, 3)},
      {"first_compiled_step", or_null(report.first_compiled_step)},
      {"ops_per_step", rounded(report.ops_per_step, 2)},
      {"compiled_op_share", rounded(report.compiled_op_share, 4)},
      {"traces", report.traces},
      {"hits", report.hits},
      {"misses", report.misses},
      {"side_exits", report.side_exits},
      {"compiles", report.compiles},
      {"compile_ms",
       {{"p50", rounded(report.compile_ms_p50, 3)},
        {"max", rounded(report.compile_ms_max, 3)},
        {"total", rounded(report.compile_ms_total, 3)}}},
      {"break_even_step", or_null(report.break_even_step)},
      {"peak_bytes", report.peak_bytes},
      {"allocs_per_step", or_null(report.allocs_per_step)},
      {"minor_faults_per_step", report.minor_faults_per_step},
      {"loss_first", or_null(report.loss_first)},
      {"loss_last", or_null(report.loss_last)},
      {"first_losses", report.first_losses},
      {"first_output", report.first_output},
      {"digest", report.digest},
  };
  for (const auto& [name, value] : report.figures) json[name] = value;
  return json;
}

std::string to_text(const Report& r) {
  std::string text;
  const auto line = [&]<class... Args>(std::string_view name, fmt::format_string<Args...> format, Args&&... args) {
    text += fmt::format("{:<12} {}\n", name, fmt::format(format, std::forward<Args>(args)...));
  };
  line(r.workload, "{} steps, tier {}, seed {}, {} thread{}, {}", r.steps, r.tier, r.seed, r.threads, r.threads == 1 ? "" : "s",
       r.device);
  line("speed", "{:.1f} {}/s", r.units_per_s, r.unit);
  line("step", "{:.1f} us in the median, 99 % within {:.1f} us, longest {:.1f} us", r.step_us_p50, r.step_us_p99,
       r.step_us_max);
  line("first step", "{:.2f} ms; first compiled step: {}", r.first_step_ms,
       r.first_compiled_step ? std::to_string(*r.first_compiled_step) : "none");
  line("ops", "{:.1f} a step, {:.1f} % of them compiled", r.ops_per_step, 100 * r.compiled_op_share);
  line("traces", "{} known; {} hits, {} misses, {} side exits", r.traces, r.hits, r.misses, r.side_exits);
  line("compiler", "{} plans, {:.1f} ms in the median, longest {:.1f} ms, {:.1f} ms in all", r.compiles, r.compile_ms_p50,
       r.compile_ms_max, r.compile_ms_total);
  if (r.break_even_step) line("", "paid for by step {}", *r.break_even_step);
  line("memory", "{:.1f} MiB at the peak; {} allocations and {:.4g} page faults a step",
       static_cast<double>(r.peak_bytes) / (1 << 20),
       r.allocs_per_step ? fmt::format("{:.4g}", *r.allocs_per_step) : "uncounted", r.minor_faults_per_step);
  if (r.loss_first || r.loss_last) line("loss", "{} at first, {} at last", loss_text(r.loss_first), loss_text(r.loss_last));
  for (const auto& [name, value] : r.figures) line(name, "{:.4f}", value);
  line("digest", "{}", r.digest);
  return text;
}

}  // namespace swage::bench
