#include <swage/runtime.hpp>

#include <swage/detail/call.hpp>

namespace swage {

void step() { detail::stream().cut(CutReason::step_end, SiteScope::or_else(caller())); }

RandomState random_state() { return detail::stream().random_state(); }
void set_random_state(RandomState state) { detail::stream().set_random_state(state); }

EngineStats stats() {
  static_cast<void>(detail::stream());
  return engine_stats();
}

void set_tier(Tier tier) {
  static_cast<void>(detail::stream());
  EngineOptions options = engine_options();
  options.tier = tier;
  set_engine_options(options);
}

Tier tier() { return engine_options().tier; }

}  // namespace swage
