// Two verbs. `raise<E>` is for the user's mistakes: a typed exception that names the op, the shapes, what would be right, and
// the user's file and line. `fail` is for bugs of the engine itself: it prints what led there and stops the process.
#pragma once

#include <stdexcept>
#include <string>

#include <fmt/core.h>

#include <runtime/core/call_site.hpp>

namespace swage {

// Base of everything that swage throws on purpose. `what()` ends with the user's file and line where they are known.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class ShapeError : public Error {  // extents that do not fit together
  using Error::Error;
};
class DTypeError : public Error {  // an element type that an op does not take
  using Error::Error;
};
class IndexError : public Error {  // a dimension or an element index out of range
  using Error::Error;
};
class ValueError : public Error {  // any other bad argument
  using Error::Error;
};
class AutogradError : public Error {  // misuse of differentiation
  using Error::Error;
};
class IoError : public Error {  // a file that cannot be read, written or understood
  using Error::Error;
};
class MemoryError : public Error {  // an allocation that failed
  using Error::Error;
};
class CompileError : public Error {  // a trace that cannot be compiled; never reaches the user's program
  using Error::Error;
};

std::string with_site(std::string message, CallSite site);

template <class E, class... Args>
[[noreturn]] void raise(CallSite site, fmt::format_string<Args...> format, Args&&... args) {
  throw E(with_site(fmt::format(format, std::forward<Args>(args)...), site));
}

// Runs before the process stops, to print the trace that led to the failure.
using FailureReporter = void (*)();
void set_failure_reporter(FailureReporter reporter);

[[noreturn]] void fail_with(const std::string& message, const char* file, int line);

template <class... Args>
[[noreturn]] void fail(const char* file, int line, fmt::format_string<Args...> format, Args&&... args) {
  fail_with(fmt::format(format, std::forward<Args>(args)...), file, line);
}

// An invariant of the engine, checked in every build; the cost is one predicted branch.
inline void invariant(bool holds, const char* what, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  if (!holds) [[unlikely]]
    fail_with(what, file, line);
}

}  // namespace swage
