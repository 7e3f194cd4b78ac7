// Whether ops on this thread go onto the tape. They do unless a guard says otherwise.
#pragma once

namespace swage {

class GradMode {
 public:
  static bool enabled() { return enabled_; }

 private:
  friend class GradModeGuard;
  static inline thread_local bool enabled_ = true;
};

// Sets the mode while it lives.
class GradModeGuard {
 public:
  explicit GradModeGuard(bool enabled) : outer_(GradMode::enabled_) { GradMode::enabled_ = enabled; }
  ~GradModeGuard() { GradMode::enabled_ = outer_; }
  GradModeGuard(const GradModeGuard&) = delete;
  GradModeGuard& operator=(const GradModeGuard&) = delete;

 private:
  bool outer_;
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
