// What the engine makes of a piece of a program, asked from inside it. `swage trace` answers more, from outside.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <runtime/core/error.hpp>

namespace swage {

class RecompileError : public Error {  // something was compiled, or ran op by op, where that was not to happen
  using Error::Error;
};

// Runs `function`, settles what it left, and says in words what became of it: how many windows ran compiled, and for each that did not,
// where it left the nearest known trace, which field differed, and the user's line. The calling thread's windows only.
std::string explain(const std::function<void()>& function);

// For tests and for loops that must not stall: while it lives, no window of this thread may miss, leave its path, or be handed to the
// compiler. Where one does, its end raises RecompileError, with the same words (unless an exception is on its way already).
class NoRecompileScope {
 public:
  NoRecompileScope();
  ~NoRecompileScope() noexcept(false);
  NoRecompileScope(const NoRecompileScope&) = delete;
  NoRecompileScope& operator=(const NoRecompileScope&) = delete;

 private:
  std::uint64_t since_ns_;
  int exceptions_;
};

}  // namespace swage
