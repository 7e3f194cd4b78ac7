// An agent that learns to balance a pole (swage/env/cart_pole.hpp) by proximal policy optimisation (Schulman et al., "Proximal policy
// optimization algorithms", 2017), with the details and numbers of CleanRL (Huang et al., "CleanRL: high-quality single-file implementations of
// deep reinforcement learning algorithms", JMLR 2022): 4 environments, 128 steps of each, then 4 epochs of 4 minibatches. A step is one such
// update, 512 steps of an environment; the rate falls to zero over 500,000 of them.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include <bench/workloads/actor_critic.hpp>
#include <bench/workloads/all.hpp>
#include <bench/workloads/state.hpp>
#include <swage/env/cart_pole.hpp>
#include <swage/env/vector.hpp>
#include <swage/swage.hpp>

namespace swage::bench {
namespace {

constexpr std::int64_t kWorlds = 4, kSteps = 128, kRows = kWorlds * kSteps, kEpochs = 4, kMinibatch = kRows / 4;
constexpr std::int64_t kUpdates = 500'000 / kRows, kSeen = 4, kChoices = 2;
constexpr double kRate = 2.5e-4, kDiscount = 0.99, kTrace = 0.95, kClip = 0.2, kEntropy = 0.01, kValue = 0.5, kNorm = 0.5;

struct ActorCritic final : nn::Module {
  nn::Sequential actor = tanh_network(kSeen, kChoices, 0.01), critic = tanh_network(kSeen, 1, 1);
  ActorCritic() { register_module("actor", actor), register_module("critic", critic); }
  // Scores of the choices, and behind them what the state is worth: {n, kSeen} to {n, kChoices + 1}.
  Tensor forward(const Tensor& seen) override { return cat({actor(seen), critic(seen)}, 1); }
};

// What a rollout leaves, step by step, and in each step world by world.
struct Rollout {
  std::vector<float> seen = std::vector<float>(kRows * kSeen), log_probability = std::vector<float>(kRows),
                     value = log_probability, reward = value, advantage = value;
  std::vector<std::int64_t> choice = std::vector<std::int64_t>(kRows);
  std::vector<std::uint8_t> over = std::vector<std::uint8_t>(kRows);

  // Generalised advantage estimation (Schulman et al., ICLR 2016). An episode's end, whatever its reason, is worth nothing.
  void estimate(const std::vector<float>& values_after) {
    for (std::size_t world = 0; world < kWorlds; ++world) {
      float next = values_after[world], running = 0;
      for (std::size_t i = kRows - kWorlds + world; i < kRows; i -= kWorlds) {  // wraps around at the end
        const float goes_on = over[i] ? 0 : 1;
        const float surprise = reward[i] + static_cast<float>(kDiscount) * next * goes_on - value[i];
        running = surprise + static_cast<float>(kDiscount * kTrace) * goes_on * running;
        advantage[i] = running;
        next = value[i];
      }
    }
  }
};

class Agent final : public Workload {
 public:
  explicit Agent(const WorkloadOptions& options)
      : adam_(model_.parameters(), {.lr = kRate, .eps = 1e-5}),
        worlds_(env::VectorEnvironment::of<env::CartPole>(kWorlds)),
        random_(options.seed),
        seed_(options.seed),
        rows_(kRows) {
    worlds_.reset(random_.next());
  }

  StepOutputs step() override {
    adam_.set_lr(kRate * std::max(0.0, 1 - static_cast<double>(updates_++) / kUpdates));
    act();
    std::iota(rows_.begin(), rows_.end(), 0);
    Tensor loss;
    for (std::int64_t epoch = 0; epoch < kEpochs; ++epoch) {
      data::shuffle(rows_, random_);
      for (std::int64_t first = 0; first < kRows; first += kMinibatch)
        loss = learn(std::span(rows_).subspan(first, kMinibatch));
    }
    return {.loss = loss, .outputs = {}};
  }
  std::int64_t units_per_step() const override { return kRows; }

  WorkloadState state() override {
    WorkloadState state;
    add_state(state, model_);
    add_state(state, adam_);
    state.words.emplace_back("random", random_.state());
    state.words.emplace_back("updates", updates_);
    const std::vector<std::uint64_t> worlds = worlds_.save();
    for (std::size_t i = 0; i < worlds.size(); ++i) state.words.emplace_back("worlds." + std::to_string(i), worlds[i]);
    return state;
  }
  void load_state(const WorkloadState& state) override {
    bench::load_state(state, model_);
    bench::load_state(state, adam_);
    random_.set_state(word(state, "random"));
    updates_ = word(state, "updates");
    std::vector<std::uint64_t> worlds = worlds_.save();
    for (std::size_t i = 0; i < worlds.size(); ++i) worlds[i] = word(state, "worlds." + std::to_string(i));
    worlds_.restore(worlds);
  }

  // The mean return of 100 episodes of their own, in which the likelier choice is taken.
  std::map<std::string, double> figures() override {
    auto worlds = env::VectorEnvironment::of<env::CartPole>(100);
    worlds.reset(~seed_);
    std::vector<std::optional<double>> returns(100);
    while (std::any_of(returns.begin(), returns.end(), [](const auto& value) { return !value; })) {
      const std::vector<float> given = no_grad([&] { return model_(worlds.observation_tensor()).to_vector<float>(); });
      std::vector<std::int64_t> choices(returns.size());
      for (std::size_t i = 0; i < returns.size(); ++i) choices[i] = given[3 * i + 1] > given[3 * i];
      worlds.step(choices);
      for (const env::EndedEpisode& episode : worlds.ended()) {
        auto& first = returns[static_cast<std::size_t>(episode.environment)];
        if (!first) first = episode.value;
      }
    }
    double sum = 0;
    for (const auto& value : returns) sum += *value;
    return {{"mean_return", sum / 100}};
  }

 private:
  void act() {
    std::vector<std::int64_t> choices(kWorlds);
    std::vector<float> values(kWorlds);
    for (std::size_t at = 0; at <= kRows; at += kWorlds) {
      const std::vector<float> given = no_grad([&] { return model_(worlds_.observation_tensor()).to_vector<float>(); });
      for (std::size_t world = 0; world < kWorlds; ++world) values[world] = given[world * (kChoices + 1) + kChoices];
      if (at == kRows) break;
      std::copy(worlds_.observations().begin(), worlds_.observations().end(), rollout_.seen.data() + at * kSeen);
      std::copy(values.begin(), values.end(), rollout_.value.data() + at);
      for (std::size_t world = 0; world < kWorlds; ++world) {
        const float* const scores = given.data() + world * (kChoices + 1);
        const double second = 1 / (1 + std::exp(static_cast<double>(scores[0]) - scores[1]));  // its probability
        choices[world] = env::uniform(random_, 0, 1) < second;
        rollout_.choice[at + world] = choices[world];
        rollout_.log_probability[at + world] = static_cast<float>(std::log(choices[world] ? second : 1 - second));
      }
      worlds_.step(choices);
      std::copy(worlds_.rewards().begin(), worlds_.rewards().end(), rollout_.reward.data() + at);
      std::copy(worlds_.over().begin(), worlds_.over().end(), rollout_.over.data() + at);
    }
    rollout_.estimate(values);
  }

  Tensor learn(std::span<const std::int64_t> rows) {
    const auto chosen = [&](const std::vector<float>& of) {
      std::vector<float> numbers;
      for (const std::int64_t row : rows) numbers.push_back(of[static_cast<std::size_t>(row)]);
      return tensor(numbers, {kMinibatch});
    };
    std::vector<float> seen;
    std::vector<std::int64_t> choices;
    for (const std::int64_t row : rows) {
      const float* const from = rollout_.seen.data() + row * kSeen;
      seen.insert(seen.end(), from, from + kSeen);
      choices.push_back(rollout_.choice[static_cast<std::size_t>(row)]);
    }
    const Tensor before = chosen(rollout_.value), raw = chosen(rollout_.advantage), target = raw + before;
    const Tensor given = model_(tensor(seen, {kMinibatch, kSeen}));
    const Tensor log_probabilities = log_softmax(given.narrow(1, 0, kChoices), 1);
    const Tensor taken = gather(log_probabilities, 1, tensor(choices, {kMinibatch, 1})).squeeze(1);
    const Tensor ratio = exp(taken - chosen(rollout_.log_probability));
    const Tensor advantage = (raw - mean(raw)) / (sqrt(var(raw)) + 1e-8);
    const Tensor policy_loss = mean(maximum(-advantage * ratio, -advantage * clamp(ratio, 1 - kClip, 1 + kClip)));
    const Tensor value = given.select(1, kChoices), held = before + clamp(value - before, -kClip, kClip);
    const Tensor value_loss = 0.5 * mean(maximum(square(value - target), square(held - target)));
    const Tensor entropy = -mean(sum(exp(log_probabilities) * log_probabilities, 1));
    const Tensor loss = policy_loss - kEntropy * entropy + kValue * value_loss;
    loss.backward();
    optim::clip_grad_norm_(adam_.parameters(), kNorm);
    adam_.step();
    return loss;
  }

  ActorCritic model_;
  optim::Adam adam_;
  env::VectorEnvironment worlds_;
  data::HostRandom random_;
  std::uint64_t seed_, updates_ = 0;
  Rollout rollout_;
  std::vector<std::int64_t> rows_;
};

}  // namespace

std::unique_ptr<Workload> make_agent(const WorkloadOptions& options) { return std::make_unique<Agent>(options); }

}  // namespace swage::bench
