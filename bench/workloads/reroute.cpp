// A path of its own for every sample: a random graph of three to eight blocks (convolution 3×3 – batch norm – ReLU, 16 channels, images of
// 16×16) out of a bank of eight. A block reads what came before it, and every other one also a value from further back. Handwritten digits,
// twice their size; each sample is normalised by its own statistics, as a batch of one is. SGD with momentum; a block that no sample came
// by is left as it is. --bulk N: N samples a step, all of them on routes of their own. --novelty P: P percent of the routes are new to
// the run.
#include <array>

#include <bench/workloads/all.hpp>
#include <bench/workloads/novelty.hpp>
#include <bench/workloads/state.hpp>
#include <swage/swage.hpp>

namespace swage::bench {
namespace {

constexpr std::int64_t kChannels = 16, kEdge = 16, kClasses = 10, kBank = 8, kPooled = 4, kFewest = 3, kMost = 8;
static_assert(kMost - kFewest + 1 == 6, "the classes of sizes of Novelty");

struct Stop {
  std::int32_t block = 0;
  std::int32_t skip = -1;  // an earlier value that is added to the input; −1: none
};
using Route = std::vector<Stop>;

Route draw_route(data::HostRandom& random, std::size_t size) {
  Route route(kFewest + size);
  for (std::size_t i = 0; i < route.size(); ++i) {
    route[i].block = static_cast<std::int32_t>(random.below(kBank));
    if (i > 0 && random.below(2) == 0) route[i].skip = static_cast<std::int32_t>(random.below(i));
  }
  return route;
}

std::uint64_t key_of(const Route& route) {
  std::uint64_t key = route.size();
  for (const Stop& stop : route) key = key * 131 + static_cast<std::uint64_t>(stop.block * 16 + stop.skip + 1);
  return split_mix(key);
}

struct Block final : nn::Module {
  nn::Conv2d convolution{kChannels, kChannels, 3, {.padding = 1, .bias = false}};
  Tensor weight = ones({kChannels}), bias = zeros({kChannels});
  Block() {
    register_module("convolution", convolution);
    register_parameter("weight", weight);
    register_parameter("bias", bias);
  }
  Tensor forward(const Tensor& x) override { return relu(batch_norm(convolution(x), {}, {}, weight, bias, true)); }
};

struct Network final : nn::Module {
  nn::Conv2d stem{1, kChannels, 3, {.padding = 1}};
  std::array<Block, kBank> bank;
  nn::Linear head{kChannels * kPooled * kPooled, kClasses};
  Network() {
    register_module("stem", stem);
    for (std::size_t k = 0; k < kBank; ++k) register_module("block" + std::to_string(k), bank[k]);
    register_module("head", head);
  }
  Tensor forward(const Tensor& image) override { return stem(image); }
};

struct BlockCall {
  Network* network;
  std::size_t which;
  Tensor operator()(const Tensor& x) const { return network->bank[which](x); }
};

auto stem_cell(Network& network) {
  return cell("stem", [&network](const Tensor& image) { return network.stem(image); }, {.pure = true});
}
auto logits_cell(Network& network) {
  return cell("logits",
              [&network](const Tensor& x) {
                constexpr std::int64_t kPatch = kEdge / kPooled;
                const Tensor pooled = mean(x.reshape({1, kChannels, kPooled, kPatch, kPooled, kPatch}), {3, 5});
                return network.head(pooled.reshape({1, kChannels * kPooled * kPooled}));
              },
              {.pure = true});
}

class Reroute final : public Workload {
 public:
  explicit Reroute(const WorkloadOptions& options)
      : bulk_(options.bulk),
        parts_(load(options)),
        optimizer_(network_.parameters(), {.lr = 0.01, .momentum = 0.9}),
        batches_(parts_.train.images.size(0), bulk_, options.seed),
        routes_(options.novelty.value_or(100), options.seed, options.rehearsal, draw_route, key_of) {
    for (std::size_t k = 0; k < kBank; ++k)
      blocks_.push_back(cell("block" + std::to_string(k), BlockCall{&network_, k}, {.pure = true}));
  }

  StepOutputs step() override {
    const Tensor total = batch([&] {
      std::vector<Tensor> losses;
      for (const std::int64_t i : batches_.next())
        losses.push_back(cross_entropy(logits_of(parts_.train.images, i, routes_.next()), parts_.train.labels.narrow(0, i, 1)));
      return sum_of(losses) / static_cast<double>(bulk_);
    });
    total.backward();
    optimizer_.step();
    return {.loss = total, .outputs = {}};
  }
  std::int64_t units_per_step() const override { return bulk_; }

  WorkloadState state() override {
    WorkloadState state;
    add_state(state, network_);
    add_state(state, optimizer_);
    add_state(state, batches_);
    state.words.emplace_back("routes", routes_.random().state());
    return state;
  }
  void load_state(const WorkloadState& state) override {
    bench::load_state(state, network_);
    bench::load_state(state, optimizer_);
    bench::load_state(state, batches_);
    routes_.random().set_state(word(state, "routes"));
  }

  // On images that were held out, each on a route of its own.
  std::map<std::string, double> figures() override {
    const NoGradGuard no_grad;
    const std::int64_t n = parts_.held_out.images.size(0);
    std::int64_t right = 0;
    data::HostRandom random(1);
    std::vector<Tensor> guesses;
    batch([&] {
      for (std::int64_t i = 0; i < n; ++i)
        guesses.push_back(argmax(
            logits_of(parts_.held_out.images, i, draw_route(random, static_cast<std::size_t>(i) % Novelty<Route>::kSizes)), 1));
    });
    for (std::int64_t i = 0; i < n; ++i)
      right += guesses[static_cast<std::size_t>(i)].item<std::int64_t>() ==
               parts_.held_out.labels.narrow(0, i, 1).item<std::int64_t>();
    return {{"accuracy", static_cast<double>(right) / static_cast<double>(n)}};
  }

 private:
  struct Parts {
    data::Digits train, held_out;
  };
  static Parts load(const WorkloadOptions& options) {
    const data::Digits all = data::load_digits((options.data / "digits.csv.gz").string());
    const auto rows = data::split(all.images.size(0), 0.2, options.seed);
    const auto part = [&](const std::vector<std::int64_t>& which) {
      const std::int64_t n = static_cast<std::int64_t>(which.size()), half = kEdge / 2;
      const Tensor small = data::take_rows(all.images, which).reshape({n, 1, half, 1, half, 1});
      return data::Digits{small.expand({n, 1, half, 2, half, 2}).reshape({n, 1, kEdge, kEdge}),
                          data::take_rows(all.labels, which)};
    };
    return {part(rows.train), part(rows.held_out)};
  }

  Tensor logits_of(const Tensor& images, std::int64_t sample, const Route& route) {
    std::vector<Tensor> values = {stem_(images.narrow(0, sample, 1))};
    for (const Stop& stop : route) {
      const Tensor& last = values.back();
      const Tensor input = stop.skip < 0 ? last : last + values[static_cast<std::size_t>(stop.skip)];
      values.push_back(blocks_[static_cast<std::size_t>(stop.block)](input));
    }
    return logits_(values.back());
  }

  std::int64_t bulk_;
  Parts parts_;
  Network network_;
  optim::SGD optimizer_;
  data::Batches batches_;
  Novelty<Route> routes_;
  decltype(stem_cell(network_)) stem_ = stem_cell(network_);
  decltype(logits_cell(network_)) logits_ = logits_cell(network_);
  std::vector<NamedCell<BlockCall>> blocks_;
};

}  // namespace

std::unique_ptr<Workload> make_reroute(const WorkloadOptions& options) { return std::make_unique<Reroute>(options); }

}  // namespace swage::bench
