#include <runtime/engine/failure_report.hpp>

#include <cstdio>
#include <exception>

#include <fmt/format.h>

#include <runtime/core/error.hpp>
#include <runtime/engine/stream_impl.hpp>

namespace swage {
namespace {

// The state may be anything: an exception must not hide the failure.
void report() {
  try {
    if (const std::string text = window_text(); !text.empty()) fmt::print(stderr, "swage: the window so far:\n{}", text);
  } catch (const std::exception& error) {
    fmt::print(stderr, "swage: the window cannot be printed: {}\n", error.what());
  }
}

}  // namespace

std::string window_text() {
  const Window& window = Stream::current().impl().window;
  if (window.values.empty()) return {};
  Trace trace;
  for (RecordIndex i = 0; i < window.size(); ++i) {
    trace.keys.push_back(window.key(i));
    trace.results.push_back(window.on_path ? window.trace().results[i] : window.results[i]);
    trace.sites.push_back(window.values[i].site);
  }
  complete(trace);
  return print(trace);
}

void report_windows_on_failure() { set_failure_reporter(&report); }

}  // namespace swage
