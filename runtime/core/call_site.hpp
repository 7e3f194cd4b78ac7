// Where in the user's program an op was called: a return address, kept in every record and resolved to file and line only
// when somebody asks.
#pragma once

#include <string>

namespace swage {

struct CallSite {
  const void* address = nullptr;

  bool known() const { return address != nullptr; }
  friend bool operator==(CallSite, CallSite) = default;
};

// The call site of the function that this is inlined into. Public entries call it first; they must not be inlined.
[[gnu::always_inline]] inline CallSite caller() { return {__builtin_return_address(0)}; }

// The outermost public entry on this thread's stack: composites and modules name their own caller once, and every primitive
// they emit is attributed to the user's line rather than to a line of the library.
class SiteScope {
 public:
  explicit SiteScope(CallSite site) : outer_(current_) {
    if (!current_) current_ = site.address;
  }
  ~SiteScope() { current_ = outer_; }
  SiteScope(const SiteScope&) = delete;
  SiteScope& operator=(const SiteScope&) = delete;

  // The scope's site where one is open, else `site`.
  static CallSite or_else(CallSite site) { return current_ ? CallSite{current_} : site; }

 private:
  // A plain pointer: the undefined-behaviour sanitizer of GCC 12 takes the address of a thread-local class for null where the linker has
  // rewritten how it is computed.
  static inline constinit thread_local const void* current_ [[gnu::tls_model("initial-exec")]] = nullptr;
  const void* outer_;
};

// "file.cpp:42" where debug information allows it (-g1 is enough), else "function+0x1f in binary", else "unknown place".
// Costs milliseconds: for errors and reports only.
std::string describe(CallSite site);

}  // namespace swage
