// A world to act in: it is reset, then told what to do step by step, and says what is to be seen, what the step was worth, and whether the
// episode is over. As in Gymnasium (Towers et al., "Gymnasium: a standard interface for reinforcement learning environments", 2024) an
// episode ends in one of two ways: `terminated`, by what happened in it, or `truncated`, because it has lasted its longest.
//
//   env::CartPole world;
//   world.reset(seed);
//   while (!world.step(choose(world.observation())).over()) {}
//
// Everything is computed in f64, on the host. An environment belongs to one thread at a time; several at once: vector.hpp.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <swage/data/random.hpp>
#include <swage/env/space.hpp>

namespace swage::env {

using Random = data::HostRandom;

// A number in [low, high), from 53 bits of the generator.
inline double uniform(Random& random, double low, double high) {
  return low + (high - low) * (static_cast<double>(random.next() >> 11) * 0x1p-53);
}

// What a step gives.
struct Transition {
  std::span<const double> observation;  // the environment's own: good until it is stepped or reset again
  double reward = 0;
  bool terminated = false, truncated = false;

  bool over() const { return terminated || truncated; }
};

class Environment {
 public:
  virtual ~Environment() = default;
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  const Space& observation_space() const { return observations_; }
  const Space& action_space() const { return actions_; }
  std::int64_t longest_episode() const { return longest_; }  // in steps; 0 for no limit

  // Begins an episode: from the seed, or drawing on from where the last one left the generator. Equal seeds and actions give equal
  // episodes. Returns the first observation.
  std::span<const double> reset(std::uint64_t seed);
  std::span<const double> reset();

  // ValueError where the action is not of the action space, before the first reset, and after an episode's end.
  Transition step(std::span<const double> action);
  Transition step(std::int64_t choice);

  std::span<const double> observation() const { return observation_; }
  bool running() const { return !over_; }        // else it is to be reset
  std::int64_t steps() const { return steps_; }  // of the running episode

  // What the dynamics go by; each environment says what the numbers are. Setting it begins an episode there, of which no step is done.
  // ValueError where the numbers are no state.
  std::span<const double> state() const { return state_; }
  void set_state(std::span<const double> state);

  // All that later episodes depend on, exactly: state, steps, generator. ValueError where the words are not of such an environment. Where no
  // episode was running, there is nothing to be seen before the next reset.
  std::vector<std::uint64_t> save() const;
  void restore(std::span<const std::uint64_t> words);

 protected:
  struct Outcome {
    double reward;
    bool terminated;
  };

  Environment(Space observations, Space actions, std::size_t state_width, std::int64_t longest_episode);

  virtual void begin(std::vector<double>& state, Random& random) = 0;
  // The action is of the space, and the episode is not over.
  virtual Outcome advance(std::vector<double>& state, std::span<const double> action, Random& random) = 0;
  virtual void observe(std::span<const double> state, std::span<double> observation) const = 0;
  // Whether these can be a state, and what follows from a state that did not come about by a step.
  virtual bool possible(std::span<const double> state) const;
  virtual void entered(std::span<const double>) {}

 private:
  void enter(bool over);

  Space observations_, actions_;
  std::int64_t longest_, steps_ = 0;
  bool over_ = true;
  Random random_{0};
  std::vector<double> state_, observation_;
};

}  // namespace swage::env
