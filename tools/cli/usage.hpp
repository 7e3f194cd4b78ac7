// What is wrong with a command line: one line on stderr, exit code 2.
#pragma once

#include <stdexcept>
#include <string>

#include <fmt/core.h>

namespace swage::tool {

class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

template <class... Args>
[[noreturn]] void usage_error(fmt::format_string<Args...> format, Args&&... args) {
  throw UsageError(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace swage::tool
