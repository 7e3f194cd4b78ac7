// A network that remembers: items arrive one by one, a key and a value of 64 numbers each. It answers with attention over the 32 nearest of
// the keys that it has stored, is told the value, adds the item to its memory, and learns from every 8th how to make queries of
// keys. Items are of a thousand kinds, of which a new one turns up every 10 items; a kind has a value of its own, and its keys agree
// in their first half, while the second half means nothing.
#include <chrono>
#include <cmath>

#include <bench/workloads/all.hpp>
#include <bench/workloads/state.hpp>
#include <swage/swage.hpp>

namespace swage::bench {
namespace {

constexpr std::int64_t kWidth = 64, kNearest = 32, kLearnEvery = 8, kNewKindEvery = 10;

struct Item {
  Tensor key, value;
};

// Item i is a function of seed and i.
class Items {
 public:
  explicit Items(std::uint64_t seed) : seed_(seed) {}
  Item operator()(std::int64_t i) {
    data::HostRandom random(seed_ + 0x9E3779B97F4A7C15ULL * static_cast<std::uint64_t>(i + 1));
    const std::int64_t kinds = 1 + i / kNewKindEvery;
    const std::int64_t kind =
        i % kNewKindEvery == 0 ? kinds - 1 : static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(kinds)));
    data::HostRandom of_kind(~seed_ + 0xD1342543DE82EF95ULL * static_cast<std::uint64_t>(kind + 1));
    for (float& number : value_) number = unit_variance(of_kind);
    for (std::size_t k = 0; k < key_.size(); ++k) {
      const float noise = unit_variance(random);
      key_[k] = k < key_.size() / 2 ? unit_variance(of_kind) + 0.3F * noise : noise;
    }
    return {tensor(key_, {kWidth}), tensor(value_, {kWidth})};
  }

 private:
  static float unit_variance(data::HostRandom& random) {
    constexpr float kHalfWidth = 1.7320508F;
    return (static_cast<float>(random.next() >> 40U) * 0x1p-23F - 1) * kHalfWidth;
  }

  std::uint64_t seed_;
  std::vector<float> key_ = std::vector<float>(kWidth), value_ = std::vector<float>(kWidth);
};

// Of the first thousand steps and of the latest thousand, by thousands.
class Means {
 public:
  void add(double x) {
    sum_ += x;
    if (++n_ % kTogether != 0) return;
    latest_ = sum_ / kTogether;
    if (n_ == kTogether) first_ = latest_;
    sum_ = 0;
  }
  void add_figures(const std::string& name, std::map<std::string, double>& figures) const {
    if (n_ < 2 * kTogether) return;
    figures[name + "_first"] = first_;
    figures[name + "_last"] = latest_;
  }

 private:
  static constexpr std::int64_t kTogether = 1000;
  double sum_ = 0, first_ = 0, latest_ = 0;
  std::int64_t n_ = 0;
};

class MemoryWorkload final : public Workload {
 public:
  explicit MemoryWorkload(const WorkloadOptions& options)
      : items_(options.seed), encode_(kWidth, kWidth), optimizer_(encode_.parameters(), {.lr = 1e-3}) {}

  StepOutputs step() override {
    const auto begun = Clock::now();
    const Item item = items_(seen_);
    const bool learns = seen_++ % kLearnEvery == kLearnEvery - 1;
    Tensor query, answer, loss;
    Clock::time_point searched, found;
    const auto run = [&] {
      query = encode_(item.key);
      searched = Clock::now();
      const nn::Memory::Found near = memory_.nearest(query, kNearest);
      found = Clock::now();
      const Tensor scores = matmul(near.keys, query) * (1 / std::sqrt(static_cast<double>(kWidth))) + near.mask;
      answer = matmul(softmax(scores, 0), near.values);
      loss = mse_loss(answer, item.value);
      memory_.append(query, item.value);
    };
    if (learns) {
      run();
      loss.backward();
      optimizer_.step();
    } else {
      no_grad(run);
      swage::step();
    }
    const double search = microseconds(found - searched);
    search_us_.add(search);
    other_us_.add(microseconds(Clock::now() - begun) - search);
    loss_.add(loss.item());
    return {.loss = loss, .outputs = {answer}};
  }
  std::int64_t units_per_step() const override { return 1; }

  WorkloadState state() override {
    WorkloadState state;
    add_state(state, encode_);
    add_state(state, optimizer_);
    state.tensors.emplace_back("memory.keys", memory_.keys().rows());
    state.tensors.emplace_back("memory.values", memory_.values().rows());
    state.words.emplace_back("items", static_cast<std::uint64_t>(seen_));
    return state;
  }
  void load_state(const WorkloadState& state) override {
    bench::load_state(state, encode_);
    bench::load_state(state, optimizer_);
    memory_ = nn::Memory(kWidth, kWidth);
    memory_.append_rows(tensor_of(state, "memory.keys"), tensor_of(state, "memory.values"));
    seen_ = static_cast<std::int64_t>(word(state, "items"));
  }

  // Times in microseconds; the search includes the computation of the query, which it reads.
  std::map<std::string, double> figures() override {
    std::map<std::string, double> figures = {{"rows", static_cast<double>(memory_.size())}};
    search_us_.add_figures("search_us", figures);
    other_us_.add_figures("other_us", figures);
    loss_.add_figures("mean_loss", figures);
    return figures;
  }

 private:
  using Clock = std::chrono::steady_clock;
  static double microseconds(Clock::duration time) { return std::chrono::duration<double, std::micro>(time).count(); }
  static Tensor tensor_of(const WorkloadState& state, std::string_view name) {
    for (const auto& [its_name, tensor] : state.tensors)
      if (its_name == name) return tensor;
    raise<ValueError>({}, "the state has no tensor '{}'", name);
  }

  Items items_;
  nn::Linear encode_;
  optim::Adam optimizer_;
  nn::Memory memory_{kWidth, kWidth};
  std::int64_t seen_ = 0;
  Means search_us_, other_us_, loss_;
};

}  // namespace

std::unique_ptr<Workload> make_memory(const WorkloadOptions& options) { return std::make_unique<MemoryWorkload>(options); }

}  // namespace swage::bench
