#include <runtime/core/error.hpp>

#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>

namespace swage {
namespace {
FailureReporter failure_reporter = nullptr;
}  // namespace

std::string with_site(std::string message, CallSite site) {
  if (!site.known()) return message;
  return fmt::format("{} ({})", message, describe(site));
}

void set_failure_reporter(FailureReporter reporter) { failure_reporter = reporter; }

void fail_with(const std::string& message, const char* file, int line) {
  fmt::print(stderr, "swage: internal failure: {} ({}:{})\n", message, file, line);
  if (FailureReporter reporter = failure_reporter) {
    failure_reporter = nullptr;
    reporter();
  }
  std::abort();
}

}  // namespace swage
