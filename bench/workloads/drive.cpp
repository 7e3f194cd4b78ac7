// A car learns to drive while it drives (swage/env/driving.hpp): one car, one stream of what its rays tell, no memory of the past. Every 16
// steps of the car an actor-critic (Mnih et al., "Asynchronous methods for deep reinforcement learning", ICML 2016, with a single actor) learns
// from just those, by generalised advantages, and goes on. It chooses one of five ways to steer and one of three to go. A step is 16 steps of
// the car and what is learned from them; the rate falls to zero over 400,000 steps of the car.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <optional>

#include <bench/workloads/actor_critic.hpp>
#include <bench/workloads/all.hpp>
#include <bench/workloads/state.hpp>
#include <swage/env/driving.hpp>
#include <swage/env/vector.hpp>
#include <swage/swage.hpp>

namespace swage::bench {
namespace {

constexpr std::int64_t kRows = 16, kSeen = 10, kSteps = 400'000 / kRows;
constexpr double kRate = 1e-3, kDiscount = 0.97, kTrace = 0.95, kEntropy = 0.03, kNorm = 0.5, kValue = 0.5;
// What the driver chooses from.
constexpr std::array<double, 5> kSteering = {-1, -0.3, 0, 0.3, 1};
constexpr std::array<double, 3> kThrottle = {-1, 0, 1};
constexpr std::int64_t kSteerings = kSteering.size(), kThrottles = kThrottle.size(), kScores = kSteerings + kThrottles;

struct Driver final : nn::Module {
  nn::Sequential actor = tanh_network(kSeen, kScores, 0.01), critic = tanh_network(kSeen, 1, 1);
  Driver() { register_module("actor", actor), register_module("critic", critic); }
  // Scores of steering and throttle, and behind them what the place is worth: {n, kSeen} to {n, kScores + 1}.
  Tensor forward(const Tensor& seen) override { return cat({actor(seen), critic(seen)}, 1); }
};

// Drawn with the probabilities that the scores stand for.
std::int64_t draw(std::span<const float> scores, data::HostRandom& random) {
  const float greatest = *std::max_element(scores.begin(), scores.end());
  double total = 0;
  for (const float score : scores) total += std::exp(static_cast<double>(score) - greatest);
  double left = env::uniform(random, 0, total);
  for (std::size_t i = 0; i + 1 < scores.size(); ++i) {
    left -= std::exp(static_cast<double>(scores[i]) - greatest);
    if (left < 0) return static_cast<std::int64_t>(i);
  }
  return static_cast<std::int64_t>(scores.size()) - 1;
}

std::int64_t greatest(std::span<const float> scores) { return std::max_element(scores.begin(), scores.end()) - scores.begin(); }

class Drive final : public Workload {
 public:
  explicit Drive(const WorkloadOptions& options)
      : adam_(model_.parameters(), {.lr = kRate, .eps = 1e-5}), random_(options.seed), seed_(options.seed) {
    car_.reset(random_.next());
  }

  StepOutputs step() override {
    adam_.set_lr(kRate * std::max(0.0, 1 - static_cast<double>(updates_++) / kSteps));
    std::vector<float> seen, values, rewards;
    std::vector<std::int64_t> steering, throttle;
    std::vector<bool> over;
    std::vector<float> after;  // what the place after a step is worth, where that is not the next value
    for (std::int64_t i = 0; i < kRows; ++i) {
      const std::vector<float> given = ask(car_.observation());
      seen.insert(seen.end(), car_.observation().begin(), car_.observation().end());
      steering.push_back(draw(std::span(given).first(kSteerings), random_));
      throttle.push_back(draw(std::span(given).subspan(kSteerings, kThrottles), random_));
      values.push_back(given[kScores]);
      const env::Transition now = car_.step(action(steering.back(), throttle.back()));
      rewards.push_back(static_cast<float>((1 - kDiscount) * now.reward));
      over.push_back(now.over());
      const bool asks = i + 1 == kRows || now.truncated;
      after.push_back(now.terminated || !asks ? 0 : ask(now.observation)[kScores]);
      if (now.over()) car_.reset();
    }
    return {.loss = learn(seen, steering, throttle, values, advantages(values, rewards, over, after)), .outputs = {}};
  }
  std::int64_t units_per_step() const override { return kRows; }

  WorkloadState state() override {
    WorkloadState state;
    add_state(state, model_);
    add_state(state, adam_);
    state.words.emplace_back("random", random_.state());
    state.words.emplace_back("updates", updates_);
    state.words.emplace_back("scale", std::bit_cast<std::uint64_t>(scale_));
    const std::vector<std::uint64_t> car = car_.save();
    for (std::size_t i = 0; i < car.size(); ++i) state.words.emplace_back("car." + std::to_string(i), car[i]);
    return state;
  }
  void load_state(const WorkloadState& state) override {
    bench::load_state(state, model_);
    bench::load_state(state, adam_);
    random_.set_state(word(state, "random"));
    updates_ = word(state, "updates");
    scale_ = std::bit_cast<double>(word(state, "scale"));
    std::vector<std::uint64_t> car = car_.save();
    for (std::size_t i = 0; i < car.size(); ++i) car[i] = word(state, "car." + std::to_string(i));
    car_.restore(car);
  }

  // Ten tracks that it has never seen, driven by what scores highest: on how many the car stays for 1,000 steps, and how fast it is (m/s along
  // the track, until it leaves).
  std::map<std::string, double> figures() override {
    constexpr std::int64_t kTracks = 10;
    auto cars = env::VectorEnvironment::of<env::Driving>(kTracks);
    cars.reset(~seed_);
    std::vector<std::optional<env::EndedEpisode>> first(kTracks);
    while (std::any_of(first.begin(), first.end(), [](const auto& episode) { return !episode; })) {
      const std::vector<float> given = no_grad([&] { return model_(cars.observation_tensor()).to_vector<float>(); });
      std::vector<double> actions;
      for (std::size_t i = 0; i < kTracks; ++i) {
        const auto scores = std::span(given).subspan(i * (kScores + 1), kScores);
        const auto both = action(greatest(scores.first(kSteerings)), greatest(scores.subspan(kSteerings)));
        actions.insert(actions.end(), both.begin(), both.end());
      }
      cars.step(actions);
      for (const env::EndedEpisode& episode : cars.ended()) {
        auto& kept = first[static_cast<std::size_t>(episode.environment)];
        if (!kept) kept = episode;
      }
    }
    double stayed = 0, way = 0, steps = 0;
    for (const auto& episode : first) {
      stayed += !episode->terminated;
      way += episode->value;
      steps += static_cast<double>(episode->length);
    }
    return {{"tracks_stayed", stayed}, {"speed", env::Driving::kFastest * way / steps}};
  }

 private:
  static std::array<double, 2> action(std::int64_t steering, std::int64_t throttle) {
    return {kSteering[static_cast<std::size_t>(steering)], kThrottle[static_cast<std::size_t>(throttle)]};
  }

  std::vector<float> ask(std::span<const double> seen) {
    const std::vector<float> numbers(seen.begin(), seen.end());
    return no_grad([&] { return model_(tensor(numbers, {1, kSeen})).to_vector<float>(); });
  }

  static std::vector<float> advantages(const std::vector<float>& values, const std::vector<float>& rewards,
                                       const std::vector<bool>& over, const std::vector<float>& after) {
    std::vector<float> made(kRows);
    double running = 0;
    for (std::size_t i = kRows; i-- > 0;) {
      const bool last = over[i] || i + 1 == kRows;
      const double surprise = rewards[i] + kDiscount * (last ? after[i] : values[i + 1]) - values[i];
      running = surprise + (last ? 0 : kDiscount * kTrace * running);
      made[i] = static_cast<float>(running);
    }
    return made;
  }

  Tensor learn(const std::vector<float>& seen, const std::vector<std::int64_t>& steering,
               const std::vector<std::int64_t>& throttle, const std::vector<float>& values,
               const std::vector<float>& advantages) {
    double squares = 0;
    for (const float advantage : advantages) squares += advantage * advantage / static_cast<double>(kRows);
    scale_ = updates_ == 1 ? squares : 0.99 * scale_ + 0.01 * squares;
    const auto by = static_cast<float>(1 / std::sqrt(scale_ + 1e-8));
    std::vector<float> weights, targets;
    for (std::size_t i = 0; i < kRows; ++i) {
      weights.push_back(advantages[i] * by);
      targets.push_back(advantages[i] + values[i]);
    }
    const Tensor given = model_(tensor(seen, {kRows, kSeen}));
    const Tensor steer = log_softmax(given.narrow(1, 0, kSteerings), 1),
                 pace = log_softmax(given.narrow(1, kSteerings, kThrottles), 1);
    const auto taken = [](const Tensor& log_probabilities, const std::vector<std::int64_t>& choices) {
      return gather(log_probabilities, 1, tensor(choices, {kRows, 1})).squeeze(1);
    };
    const Tensor policy_loss = -mean((taken(steer, steering) + taken(pace, throttle)) * tensor(weights, {kRows}));
    const Tensor value_loss = mean(square(given.select(1, kScores) - tensor(targets, {kRows})));
    const Tensor entropy = -mean(sum(exp(steer) * steer, 1) + sum(exp(pace) * pace, 1));
    const Tensor loss = policy_loss + kValue * value_loss - kEntropy * entropy;
    loss.backward();
    optim::clip_grad_norm_(adam_.parameters(), kNorm);
    adam_.step();
    return loss;
  }

  Driver model_;
  optim::Adam adam_;
  env::Driving car_;
  data::HostRandom random_;
  std::uint64_t seed_, updates_ = 0;
  double scale_ = 0;  // of advantages: a running mean of squares
};

}  // namespace

std::unique_ptr<Workload> make_drive(const WorkloadOptions& options) { return std::make_unique<Drive>(options); }

}  // namespace swage::bench
