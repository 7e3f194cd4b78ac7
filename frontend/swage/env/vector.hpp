// Many environments of one kind, stepped at once, on the engine's threads (`set_num_threads`) where there are enough of them. Results do not
// depend on the number of threads: each environment has a generator of its own, seeded from the seed of all.
//
// An environment whose episode is over is reset within the same step. What is seen then is the first observation of the next episode; the
// last one of the old episode, its return and its length are in `ended()`.
#pragma once

#include <functional>
#include <memory>

#include <swage/env/environment.hpp>
#include <swage/tensor.hpp>

namespace swage::env {

struct EndedEpisode {
  std::int64_t environment;
  double value;         // the sum of its rewards
  std::int64_t length;  // in steps
  bool terminated;      // else truncated
  std::vector<double> last_observation;
};

class VectorEnvironment {
 public:
  using Maker = std::function<std::unique_ptr<Environment>()>;

  // ValueError unless count ≥ 1. No thread takes fewer environments than `fewest_per_thread`, at least 1: with cheap ones waking a thread
  // costs more than it saves.
  VectorEnvironment(const Maker& make, std::int64_t count, std::int64_t fewest_per_thread = 32);
  template <class World>
  static VectorEnvironment of(std::int64_t count) {
    return VectorEnvironment([] { return std::make_unique<World>(); }, count);
  }

  std::int64_t size() const { return static_cast<std::int64_t>(all_.size()); }
  const Space& observation_space() const { return all_.front()->observation_space(); }
  const Space& action_space() const { return all_.front()->action_space(); }
  Environment& operator[](std::int64_t i) { return *all_[static_cast<std::size_t>(i)]; }

  void reset(std::uint64_t seed);
  // Row-major (count, width of an action). ValueError where there are not as many, or one is not of the action space; then nothing has moved.
  void step(std::span<const double> actions);
  void step(std::span<const std::int64_t> choices);

  // What the last reset or step has left. An episode is over where `over` is 1.
  std::span<const float> observations() const { return observations_; }  // row-major (count, width)
  Tensor observation_tensor() const;                                     // the same as a fresh f32 tensor
  std::span<const float> rewards() const { return rewards_; }
  std::span<const std::uint8_t> over() const { return over_; }
  const std::vector<EndedEpisode>& ended() const { return ended_; }  // in the last step, in order

  // As those of an environment.
  std::vector<std::uint64_t> save() const;
  void restore(std::span<const std::uint64_t> words);

 private:
  void show(std::size_t i);
  void step_one(std::size_t i);
  void check(std::span<const double> actions) const;

  std::vector<std::unique_ptr<Environment>> all_;
  std::int64_t fewest_per_thread_;
  bool begun_ = false;
  std::vector<double> actions_, values_, last_;  // `last_`: the last observations of episodes that are over
  std::vector<float> observations_, rewards_;
  std::vector<std::uint8_t> over_, terminated_;
  std::vector<std::int64_t> lengths_;
  std::vector<EndedEpisode> ended_;
};

}  // namespace swage::env
