// A network that grows while it learns (Chen, Goodfellow and Shlens, "Net2Net", ICLR 2016): handwritten digits by a perceptron 64-32-10, batches of
// 32. The steps are five equal phases: it learns; its hidden layer is widened to 64; to 128; gets a second one beside it; and loses that
// again. The optimizer (--optimizer sgd with momentum, or adam) goes on with the state that it has.
//
// Figures, of growth 1 … 4: how long and how many steps until plans carry nine tenths of a step's ops again, and the share that they carried
// meanwhile; the loss on held-out digits just before and just after; the accuracy there at the end of each phase.
#include <chrono>

#include <bench/workloads/all.hpp>
#include <bench/workloads/state.hpp>
#include <swage/swage.hpp>

namespace swage::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t kPixels = 64, kClasses = 10, kBatch = 32, kPhases = 5;
constexpr std::int64_t kRehearsedSteps = 40;  // a phase of a warm-up, which goes through all phases again and again
constexpr double kRecovered = 0.9;

struct Examples {
  Tensor images, labels;  // (n,64), (n)
};

Examples rows_of(const data::Digits& digits, const std::vector<std::int64_t>& rows) {
  return {data::take_rows(digits.images, rows).reshape({-1, kPixels}), data::take_rows(digits.labels, rows)};
}

std::unique_ptr<optim::Optimizer> optimizer_for(const nn::Module& model, const std::string& name) {
  if (name == "adam") return std::make_unique<optim::Adam>(model.parameters());
  return std::make_unique<optim::SGD>(model.parameters(), optim::SGDOptions{.lr = 0.02, .momentum = 0.9});
}

// How soon the engine is back after a change.
struct Recovery {
  Clock::time_point since;
  EngineStats before, last;
  std::int64_t steps = 0, recovered_step = 0;
  double recovered_ms = -1, meanwhile = 0;  // the share of ops in plans until then

  void begin() {
    *this = {};
    last = before = stats();
    since = Clock::now();
  }
  void observe() {
    if (recovered_step != 0) return;
    const EngineStats now = stats();
    const auto share = [&](const EngineStats& from) {
      return static_cast<double>(now.compiled_ops - from.compiled_ops) / static_cast<double>(now.ops - from.ops);
    };
    ++steps;
    if (share(last) >= kRecovered) {
      recovered_step = steps;
      recovered_ms = std::chrono::duration<double, std::milli>(Clock::now() - since).count();
    } else {
      meanwhile = share(before);
    }
    last = now;
  }
};

class Growing final : public Workload {
 public:
  explicit Growing(const WorkloadOptions& options)
      : options_(options), phase_steps_(std::max<std::int64_t>(1, options.steps / kPhases)) {
    if (options.rehearsal) phase_steps_ = std::min(phase_steps_, kRehearsedSteps);
    const data::Digits digits = data::load_digits((options.data / "digits.csv.gz").string());
    const data::Split rows = data::split(digits.labels.size(0), 0.2, options.seed);
    train_ = rows_of(digits, rows.train);
    held_out_ = rows_of(digits, rows.held_out);
    batches_ = std::make_unique<data::Batches>(train_.labels.size(0), kBatch, options.seed);
    start();
  }

  StepOutputs step() override {
    if (in_phase_ >= phase_steps_) {
      if (phase_ + 1 < kPhases)
        next_phase();
      else if (options_.rehearsal)
        start();
    }
    const std::vector<std::int64_t> rows = batches_->next();
    const Tensor logits = net_(data::take_rows(train_.images, rows));
    const Tensor loss = cross_entropy(logits, data::take_rows(train_.labels, rows));
    loss.backward();
    optimizer_->step();
    ++in_phase_;
    if (phase_ > 0) recoveries_[phase_ - 1].observe();
    return {.loss = loss, .outputs = {logits}};
  }
  std::int64_t units_per_step() const override { return kBatch; }

  WorkloadState state() override {
    WorkloadState state;
    add_state(state, net_);
    add_state(state, *optimizer_);
    add_state(state, *batches_);
    state.words.emplace_back("phase", phase_);
    state.words.emplace_back("in_phase", in_phase_);
    return state;
  }
  void load_state(const WorkloadState& state) override {
    start();
    while (phase_ < word(state, "phase")) grow();
    bench::load_state(state, net_);
    bench::load_state(state, *optimizer_);
    bench::load_state(state, *batches_);
    in_phase_ = static_cast<std::int64_t>(word(state, "in_phase"));
  }

  std::map<std::string, double> figures() override {
    std::map<std::string, double> figures = figures_;
    figures[fmt::format("accuracy_{}", phase_ + 1)] = accuracy();
    for (std::size_t i = 0; i < phase_; ++i) {
      const Recovery& each = recoveries_[i];
      figures[fmt::format("recovered_ms_{}", i + 1)] = each.recovered_ms;
      figures[fmt::format("recovered_step_{}", i + 1)] = static_cast<double>(each.recovered_step);
      figures[fmt::format("compiled_meanwhile_{}", i + 1)] = each.meanwhile;
    }
    return figures;
  }

 private:
  void start() {
    first_ = nn::Linear(kPixels, 32);
    last_ = nn::Linear(32, kClasses);
    net_ = nn::Sequential(first_, nn::ReLU(), last_);
    optimizer_ = optimizer_for(net_, options_.optimizer);
    phase_ = 0;
    in_phase_ = 0;
  }

  void next_phase() {
    figures_[fmt::format("accuracy_{}", phase_ + 1)] = accuracy();
    const double before = held_out_loss();
    grow();
    figures_[fmt::format("loss_before_{}", phase_)] = before;
    figures_[fmt::format("loss_after_{}", phase_)] = held_out_loss();
    in_phase_ = 0;
    recoveries_[phase_ - 1].begin();
  }

  void grow() {
    switch (++phase_) {
      case 1: return nn::widen(first_, last_, 64, {.noise = 0.05}, optimizer_.get());
      case 2: return nn::widen(first_, last_, 128, {.noise = 0.05}, optimizer_.get());
      case 3:
        nn::insert(net_, 2, nn::identity_linear(128), optimizer_.get());
        return nn::insert(net_, 3, nn::ReLU(), optimizer_.get());
      case 4: nn::remove(net_, 3, optimizer_.get()); return nn::remove(net_, 2, optimizer_.get());
      default: return;
    }
  }

  double held_out_loss() {
    return no_grad([&] { return cross_entropy(net_(held_out_.images), held_out_.labels).item(); });
  }
  double accuracy() {
    const Tensor right = no_grad([&] { return eq(argmax(net_(held_out_.images), 1), held_out_.labels).to(DType::f32); });
    return mean(right).item();
  }

  WorkloadOptions options_;
  std::int64_t phase_steps_, in_phase_ = 0;
  std::size_t phase_ = 0;
  Examples train_, held_out_;
  std::unique_ptr<data::Batches> batches_;
  nn::Linear first_{kPixels, 1}, last_{1, kClasses};  // `start` makes them
  nn::Sequential net_;
  std::unique_ptr<optim::Optimizer> optimizer_;
  std::array<Recovery, kPhases - 1> recoveries_;
  std::map<std::string, double> figures_;
};

}  // namespace

std::unique_ptr<Workload> make_growing(const WorkloadOptions& options) { return std::make_unique<Growing>(options); }

}  // namespace swage::bench
