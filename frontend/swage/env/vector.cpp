#include <swage/env/vector.hpp>

#include <algorithm>
#include <bit>

#include <fmt/ranges.h>

#include <runtime/core/error.hpp>
#include <runtime/core/thread_pool.hpp>
#include <swage/creation.hpp>

namespace swage::env {
namespace {

std::size_t width_of(const Space& space) { return static_cast<std::size_t>(space.width()); }

}  // namespace

VectorEnvironment::VectorEnvironment(const Maker& make, std::int64_t count, std::int64_t fewest_per_thread)
    : fewest_per_thread_(fewest_per_thread) {
  if (count < 1 || fewest_per_thread < 1)
    raise<ValueError>(caller(), "[VectorEnvironment] {} environments, {} a thread: both must be at least 1", count,
                      fewest_per_thread);
  for (std::int64_t i = 0; i < count; ++i) all_.push_back(make());
  const std::size_t n = all_.size();
  actions_.resize(n * width_of(action_space()));
  observations_.resize(n * width_of(observation_space()));
  last_.resize(observations_.size());
  values_.resize(n);
  rewards_.resize(n);
  over_.resize(n);
  terminated_.resize(n);
  lengths_.resize(n);
}

void VectorEnvironment::reset(std::uint64_t seed) {
  Random seeds(seed);
  for (std::size_t i = 0; i < all_.size(); ++i) {
    all_[i]->reset(seeds.next());
    values_[i] = rewards_[i] = 0;
    lengths_[i] = 0;
    over_[i] = 0;
    show(i);
  }
  ended_.clear();
  begun_ = true;
}

void VectorEnvironment::step(std::span<const double> actions) {
  const SiteScope scope(caller());
  check(actions);
  std::copy(actions.begin(), actions.end(), actions_.begin());
  parallel_for(size(), fewest_per_thread_, [this](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) step_one(static_cast<std::size_t>(i));
  });
  ended_.clear();
  const std::size_t width = width_of(observation_space());
  for (std::size_t i = 0; i < all_.size(); ++i) {
    if (!over_[i]) continue;
    const auto* const last = last_.data() + i * width;
    ended_.push_back({static_cast<std::int64_t>(i), values_[i], lengths_[i], terminated_[i] != 0, {last, last + width}});
    values_[i] = 0;
  }
}

void VectorEnvironment::step(std::span<const std::int64_t> choices) {
  const SiteScope scope(caller());
  const std::vector<double> actions(choices.begin(), choices.end());
  step(actions);
}

void VectorEnvironment::check(std::span<const double> actions) const {
  const CallSite site = SiteScope::or_else({});
  const std::size_t width = width_of(action_space());
  if (!begun_) raise<ValueError>(site, "[step] no episode is running: reset the environments first");
  if (actions.size() != all_.size() * width)
    raise<ValueError>(site, "[step] {} numbers for {} environments whose action is {}", actions.size(), all_.size(),
                      action_space().text());
  for (std::size_t i = 0; i < all_.size(); ++i) {
    if (!all_[i]->running()) raise<ValueError>(site, "[step] no episode is running in environment {}: reset it first", i);
    const auto action = actions.subspan(i * width, width);
    if (!action_space().contains(action))
      raise<ValueError>(site, "[step] the action of environment {} must be {}, not [{}]", i, action_space().text(),
                        fmt::join(action, ", "));
  }
}

void VectorEnvironment::step_one(std::size_t i) {
  const std::size_t width = width_of(action_space());
  const Transition now = all_[i]->step(std::span(actions_).subspan(i * width, width));
  rewards_[i] = static_cast<float>(now.reward);
  values_[i] += now.reward;
  over_[i] = now.over();
  terminated_[i] = now.terminated;
  lengths_[i] = all_[i]->steps();
  if (now.over()) {
    std::copy(now.observation.begin(), now.observation.end(), last_.data() + i * now.observation.size());
    all_[i]->reset();
  }
  show(i);
}

void VectorEnvironment::show(std::size_t i) {
  const auto seen = all_[i]->observation();
  std::transform(seen.begin(), seen.end(), observations_.data() + i * seen.size(),
                 [](double x) { return static_cast<float>(x); });
}

Tensor VectorEnvironment::observation_tensor() const {
  return from_blob(observations_.data(), {size(), observation_space().width()}, DType::f32);
}

std::vector<std::uint64_t> VectorEnvironment::save() const {
  std::vector<std::uint64_t> words;
  for (std::size_t i = 0; i < all_.size(); ++i) {
    words.push_back(std::bit_cast<std::uint64_t>(values_[i]));
    const std::vector<std::uint64_t> own = all_[i]->save();
    words.insert(words.end(), own.begin(), own.end());
  }
  return words;
}

void VectorEnvironment::restore(std::span<const std::uint64_t> words) {
  const SiteScope scope(caller());
  const std::size_t each = 1 + all_.front()->save().size();
  if (words.size() != each * all_.size())
    raise<ValueError>(SiteScope::or_else({}), "[restore] {} words are not what {} such environments save", words.size(),
                      all_.size());
  for (std::size_t i = 0; i < all_.size(); ++i) {
    const auto own = words.subspan(i * each, each);
    all_[i]->restore(own.subspan(1));
    values_[i] = std::bit_cast<double>(own[0]);
    lengths_[i] = all_[i]->steps();
    show(i);
  }
  begun_ = true;
}

}  // namespace swage::env
