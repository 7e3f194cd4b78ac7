#include <swage/env/environment.hpp>

#include <algorithm>
#include <bit>
#include <cmath>

#include <fmt/ranges.h>

#include <runtime/core/error.hpp>

namespace swage::env {
namespace {

constexpr std::size_t kHead = 3;  // words of `save` before the state: generator, steps, over

}  // namespace

Environment::Environment(Space observations, Space actions, std::size_t state_width, std::int64_t longest_episode)
    : observations_(std::move(observations)),
      actions_(std::move(actions)),
      longest_(longest_episode),
      state_(state_width),
      observation_(static_cast<std::size_t>(observations_.width())) {}

std::span<const double> Environment::reset(std::uint64_t seed) {
  random_.set_state(seed);
  return reset();
}

std::span<const double> Environment::reset() {
  begin(state_, random_);
  steps_ = 0;
  enter(false);
  return observation_;
}

Transition Environment::step(std::span<const double> action) {
  if (over_) raise<ValueError>(SiteScope::or_else(caller()), "[step] no episode is running: reset the environment first");
  if (!actions_.contains(action))
    raise<ValueError>(SiteScope::or_else(caller()), "[step] the action must be {}, not [{}]", actions_.text(),
                      fmt::join(action, ", "));
  const Outcome outcome = advance(state_, action, random_);
  ++steps_;
  const bool truncated = longest_ > 0 && steps_ >= longest_;
  over_ = outcome.terminated || truncated;
  observe(state_, observation_);
  return {observation_, outcome.reward, outcome.terminated, truncated};
}

Transition Environment::step(std::int64_t choice) {
  const SiteScope scope(caller());
  const auto number = static_cast<double>(choice);
  return step({&number, 1});
}

void Environment::set_state(std::span<const double> state) {
  if (state.size() != state_.size() || !possible(state))
    raise<ValueError>(caller(), "[set_state] of {} numbers that can be a state, not [{}]", state_.size(),
                      fmt::join(state, ", "));
  state_.assign(state.begin(), state.end());
  steps_ = 0;
  enter(false);
}

std::vector<std::uint64_t> Environment::save() const {
  std::vector<std::uint64_t> words = {random_.state(), static_cast<std::uint64_t>(steps_), over_};
  for (const double number : state_) words.push_back(std::bit_cast<std::uint64_t>(number));
  return words;
}

void Environment::restore(std::span<const std::uint64_t> words) {
  std::vector<double> state;
  for (std::size_t i = kHead; i < words.size(); ++i) state.push_back(std::bit_cast<double>(words[i]));
  if (words.size() != kHead + state_.size() || words[2] > 1 || (words[2] == 0 && !possible(state)))
    raise<ValueError>(caller(), "[restore] these {} words are not what such an environment saves", words.size());
  random_.set_state(words[0]);
  steps_ = static_cast<std::int64_t>(words[1]);
  state_ = std::move(state);
  over_ = words[2] != 0;
  if (!over_) enter(false);
}

bool Environment::possible(std::span<const double> state) const {
  return std::all_of(state.begin(), state.end(), [](double number) { return std::isfinite(number); });
}

void Environment::enter(bool over) {
  over_ = over;
  entered(state_);
  observe(state_, observation_);
}

}  // namespace swage::env
