// Online learning: samples of 32 features come one by one from a stream that never ends, and what they mean changes abruptly every 100,000
// samples. Two models, logistic regression and a network 32-32-1, predict each label, are told, and take one step of SGD, one sample a step.
// Every 500 steps a snapshot of both is published; another thread reads the latest one all the while and checks that it is whole.
//
// --source socket: the same samples by way of a loopback connection, from a thread that serves them. --drift N: another distance.
#include <atomic>
#include <chrono>
#include <fstream>
#include <mutex>
#include <optional>
#include <thread>
#include <unistd.h>

#include <bench/harness/digest.hpp>
#include <bench/workloads/all.hpp>
#include <bench/workloads/drifting.hpp>
#include <bench/workloads/prequential.hpp>
#include <bench/workloads/state.hpp>
#include <swage/swage.hpp>

namespace swage::bench {
namespace {

constexpr std::int64_t kFeatures = DriftingSamples::kFeatures, kHidden = 32;
constexpr std::int64_t kPublish = 500;  // steps from one snapshot to the next
constexpr auto kPause =
    std::chrono::milliseconds(2);  // of the serving thread: whenever it wakes up, the step that goes on pays for it

struct OnlineNet final : nn::Module {
  OnlineNet() {
    register_module("logistic", logistic);
    register_module("hidden", hidden);
    register_module("output", output);
  }
  Tensor forward(const Tensor& x) override { return output(tanh(hidden(x))); }

  nn::Linear logistic{kFeatures, 1}, hidden{kFeatures, kHidden}, output{kHidden, 1};
};

// −log of the probability of `label`, 0 or 1, where sigmoid(logit) is that of 1.
Tensor log_loss(const Tensor& logit, const Tensor& label) {
  return sum(relu(logit) - logit * label + log(exp(neg(abs(logit))) + 1));
}

std::uint64_t digest_of(const nn::NamedTensors& weights) {
  Digest digest;
  for (const auto& [name, tensor] : weights) digest.add(tensor);
  return digest.value();
}

// A thread that takes the latest snapshot again and again. Each comes with the digest that its weights had when it was taken.
class Serving {
 public:
  Serving() : thread_([this] { serve(); }) {}
  ~Serving() {
    done_ = true;
    thread_.join();
  }
  Serving(const Serving&) = delete;
  Serving& operator=(const Serving&) = delete;

  void publish(const nn::Module& model) {
    auto published = std::make_shared<const Published>(Published{snapshot(model), digest_of(model.state_dict())});
    const std::lock_guard lock(mutex_);
    latest_ = std::move(published);
  }
  double served() const { return static_cast<double>(served_); }
  double torn() const { return static_cast<double>(torn_); }

 private:
  struct Published {
    nn::NamedTensors weights;
    std::uint64_t digest;
  };
  void serve() {
    while (!done_) {
      std::shared_ptr<const Published> published;
      {
        const std::lock_guard lock(mutex_);
        published = latest_;
      }
      if (published) {
        torn_ += digest_of(published->weights) != published->digest;
        ++served_;
      }
      published.reset();
      std::this_thread::sleep_for(kPause);
    }
  }

  std::mutex mutex_;
  std::shared_ptr<const Published> latest_;
  std::atomic<bool> done_{false};
  std::atomic<std::int64_t> served_{0}, torn_{0};
  std::thread thread_;
};

double resident_mib() {
  std::ifstream file("/proc/self/statm");
  double pages = 0, resident = 0;
  file >> pages >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

class OnlineWorkload final : public Workload {
 public:
  explicit OnlineWorkload(const WorkloadOptions& options) : options_(options), optimizer_(model_.parameters(), {.lr = 0.02}) {
    open(0);
  }

  StepOutputs step() override {
    const Tensor sample = stream_->next();
    const Tensor x = sample.narrow(1, 0, kFeatures), label = sample.narrow(1, kFeatures, 1);
    const Tensor logistic = model_.logistic(x), net = model_(x);
    const bool says[] = {logistic.item() > 0, net.item() > 0};  // predicted; only now is the label looked at
    const Tensor loss = log_loss(logistic, label) + log_loss(net, label);
    loss.backward();
    optimizer_.step();
    const bool is = label.item() > 0.5;
    logistic_errors_.add(says[0] != is);
    net_errors_.add(says[1] != is);
    if (++samples_ % kPublish == 0) serving_.publish(model_);
    if ((samples_ - first_) % kLook == 0) (samples_ - first_ == kLook ? settled_mib_ : latest_mib_) = resident_mib();
    return {.loss = loss, .outputs = {logistic, net}};
  }
  std::int64_t units_per_step() const override { return 1; }

  WorkloadState state() override {
    WorkloadState state;
    add_state(state, model_);
    add_state(state, optimizer_);
    state.words.emplace_back("samples", static_cast<std::uint64_t>(samples_));
    return state;
  }
  void load_state(const WorkloadState& state) override {
    bench::load_state(state, model_);
    bench::load_state(state, optimizer_);
    open(static_cast<std::int64_t>(word(state, "samples")));
  }

  std::map<std::string, double> figures() override {
    std::map<std::string, double> figures = {{"served", serving_.served()}, {"torn", serving_.torn()}};
    logistic_errors_.add_figures("logistic", figures);
    net_errors_.add_figures("net", figures);
    if (latest_mib_ > 0) {
      figures["resident_mib"] = latest_mib_;
      figures["resident_growth_mib"] = latest_mib_ - settled_mib_;
    }
    return figures;
  }

 private:
  static constexpr std::int64_t kLook =
      50'000;  // steps from one look at the process's memory to the next; behind the first it stays

  void open(std::int64_t first) {
    samples_ = first_ = first;
    logistic_errors_ = net_errors_ = Prequential(options_.drift, first);
    const DriftingSamples samples(options_.seed, options_.drift, first);
    stream_.reset();  // before its server
    if (options_.source == "socket") {
      server_.emplace(samples);
      stream_ = data::DataStream::loopback(server_->port(), data::binary_records(DriftingSamples::kWidth));
    } else {
      stream_ = data::DataStream::generator(DriftingSamples::kWidth, [made = samples](std::span<float> sample) mutable {
        made.write(sample);
        return true;
      });
    }
  }

  WorkloadOptions options_;
  std::optional<SampleServer> server_;
  std::optional<data::DataStream> stream_;
  OnlineNet model_;
  optim::SGD optimizer_;
  Serving serving_;
  Prequential logistic_errors_{options_.drift, 0}, net_errors_{options_.drift, 0};
  std::int64_t samples_ = 0, first_ = 0;
  double settled_mib_ = 0, latest_mib_ = 0;
};

}  // namespace

std::unique_ptr<Workload> make_online(const WorkloadOptions& options) { return std::make_unique<OnlineWorkload>(options); }

}  // namespace swage::bench
