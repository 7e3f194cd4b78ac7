// Whether ops on this thread go onto the tape. They do unless a guard says otherwise.
#pragma once

#include <cstdint>

#include <runtime/core/value.hpp>

namespace swage {

class GradMode {
 public:
  static bool enabled() { return mask_ != 0; }
  // The flag of operands that put an op onto the tape, or 0 where nothing does.
  static std::uint32_t mask() { return mask_; }

 private:
  friend class GradModeGuard;
  static constexpr std::uint32_t kMask = Value::kRequiresGrad;
  static inline constinit thread_local std::uint32_t mask_ [[gnu::tls_model("initial-exec")]] = kMask;
};

// Sets the mode while it lives.
class GradModeGuard {
 public:
  explicit GradModeGuard(bool enabled) : outer_(GradMode::mask_) { GradMode::mask_ = enabled ? GradMode::kMask : 0; }
  ~GradModeGuard() { GradMode::mask_ = outer_; }
  GradModeGuard(const GradModeGuard&) = delete;
  GradModeGuard& operator=(const GradModeGuard&) = delete;

 private:
  std::uint32_t outer_;
};

// `NoGradGuard no_grad;`: nothing in this scope is differentiated.
class NoGradGuard : GradModeGuard {
 public:
  NoGradGuard() : GradModeGuard(false) {}
};

// Calls `f` without recording for differentiation: `no_grad([&] { w.sub_(g * rate); })`.
template <class F>
decltype(auto) no_grad(F&& f) {
  NoGradGuard guard;
  return f();
}

}  // namespace swage
