// Learning to learn: a network that tells five drawn glyphs apart after five steps of gradient descent on one example of each (Finn, Abbeel
// and Levine, "Model-agnostic meta-learning for fast adaptation of deep networks", ICML 2017). Three times convolution 3×3 to 32 channels,
// batch norm by the batch's own statistics, ReLU, pooling by 2; images of 28×28. Every step is a task of five glyphs that nobody has seen;
// the gradient of the loss on 15 further drawings passes through the five inner steps. Adam outside.
//
// A glyph is a few strokes between random points; every drawing of it moves the points a little.
#include <algorithm>
#include <cmath>

#include <bench/workloads/all.hpp>
#include <bench/workloads/state.hpp>
#include <swage/swage.hpp>

namespace swage::bench {
namespace {

constexpr std::int64_t kEdge = 28, kChannels = 32, kWays = 5, kQueries = 3, kFeatures = kChannels * 3 * 3;
constexpr int kInnerSteps = 5, kLayers = 3, kPoints = 5;
constexpr double kInnerRate = 0.1;

using Point = std::array<double, 2>;
using Glyph = std::array<Point, kPoints>;

class Artist {
 public:
  explicit Artist(std::uint64_t seed) : random_(seed) {}

  Glyph glyph() {
    Glyph made;
    for (Point& point : made) point = {uniform(4, kEdge - 4), uniform(4, kEdge - 4)};
    return made;
  }
  // One drawing, kEdge² values from 0 to 1.
  void draw(Glyph glyph, std::vector<float>& into) {
    for (Point& point : glyph)
      for (double& each : point) each += uniform(-1.5, 1.5);
    for (std::int64_t y = 0; y < kEdge; ++y)
      for (std::int64_t x = 0; x < kEdge; ++x) {
        double nearest = kEdge;
        for (std::size_t k = 0; k + 1 < glyph.size(); ++k)
          nearest = std::min(nearest, distance({static_cast<double>(x), static_cast<double>(y)}, glyph[k], glyph[k + 1]));
        into.push_back(static_cast<float>(std::clamp(1.8 - nearest, 0.0, 1.0)));
      }
  }
  data::HostRandom& random() { return random_; }

 private:
  double uniform(double low, double high) {
    return low + (high - low) * static_cast<double>(random_.below(1u << 24)) / (1u << 24);
  }
  // Of a point from a stroke.
  static double distance(Point p, Point a, Point b) {
    const double dx = b[0] - a[0], dy = b[1] - a[1], length = std::max(dx * dx + dy * dy, 1e-9);
    const double t = std::clamp(((p[0] - a[0]) * dx + (p[1] - a[1]) * dy) / length, 0.0, 1.0);
    return std::hypot(p[0] - a[0] - t * dx, p[1] - a[1] - t * dy);
  }

  data::HostRandom random_;
};

struct Examples {
  Tensor images, labels;  // (N,1,28,28) and (N)
};
struct Task {
  Examples support, query;
};

Examples draw(Artist& artist, const std::vector<Glyph>& glyphs, std::int64_t each) {
  std::vector<float> pixels;
  std::vector<std::int64_t> labels;
  for (std::int64_t way = 0; way < kWays; ++way)
    for (std::int64_t i = 0; i < each; ++i) {
      artist.draw(glyphs[static_cast<std::size_t>(way)], pixels);
      labels.push_back(way);
    }
  return {tensor(pixels, {kWays * each, 1, kEdge, kEdge}), tensor(labels, {kWays * each})};
}

Task draw_task(Artist& artist) {
  std::vector<Glyph> glyphs(kWays);
  for (Glyph& each : glyphs) each = artist.glyph();
  Examples support = draw(artist, glyphs, 1);
  return {std::move(support), draw(artist, glyphs, kQueries)};
}

struct Network final : nn::Module {
  std::vector<nn::Conv2d> convolutions;
  std::vector<nn::BatchNorm2d> norms;
  nn::Linear head{kFeatures, kWays};
  Network() {
    for (int k = 0; k < kLayers; ++k) {
      convolutions.emplace_back(k == 0 ? 1 : kChannels, kChannels, 3, nn::Conv2dOptions{.padding = 1, .bias = false});
      norms.emplace_back(kChannels);
      register_module("convolution" + std::to_string(k), convolutions.back());
      register_module("norm" + std::to_string(k), norms.back());
    }
    register_module("head", head);
  }
  Tensor forward(const Tensor& images) override { return with(parameters(), images); }

  // The logits that other parameters in place of its own would give: of each layer the filters, the weight and the bias of its norm.
  static Tensor with(const std::vector<Tensor>& p, const Tensor& images) {
    Tensor h = images;
    for (std::size_t k = 0; k < kLayers; ++k)
      h = max_pool2d(relu(batch_norm(conv2d(h, p[3 * k], {}, 1, 1), {}, {}, p[3 * k + 1], p[3 * k + 2], true)), 2);
    return linear(h.reshape({images.size(0), kFeatures}), p[3 * kLayers], p[3 * kLayers + 1]);
  }
};

class Maml final : public Workload {
 public:
  explicit Maml(const WorkloadOptions& options)
      : optimizer_(network_.parameters(), {.lr = 1e-3}), artist_(options.rehearsal ? ~options.seed : options.seed) {}

  StepOutputs step() override {
    const Task task = draw_task(artist_);
    const std::vector<Tensor>& parameters = optimizer_.parameters();
    const Tensor loss =
        cross_entropy(Network::with(adapted(parameters, task.support, true), task.query.images), task.query.labels);
    loss.backward();
    optimizer_.step();
    return {.loss = loss, .outputs = {}};
  }
  std::int64_t units_per_step() const override { return 1; }

  WorkloadState state() override {
    WorkloadState state;
    add_state(state, network_);
    add_state(state, optimizer_);
    state.words.emplace_back("artist", artist_.random().state());
    return state;
  }
  void load_state(const WorkloadState& state) override {
    bench::load_state(state, network_);
    bench::load_state(state, optimizer_);
    artist_.random().set_state(word(state, "artist"));
  }

  // After adaptation, on tasks of their own.
  std::map<std::string, double> figures() override {
    constexpr int kTasks = 40;
    Artist artist(1);
    std::int64_t right = 0;
    for (int i = 0; i < kTasks; ++i) {
      const Task task = draw_task(artist);
      const auto fast = adapted(optimizer_.parameters(), task.support, false);
      const Tensor guesses = no_grad([&] { return argmax(Network::with(fast, task.query.images), 1); });
      right += sum(eq(guesses, task.query.labels)).item<std::int64_t>();
    }
    return {{"accuracy", static_cast<double>(right) / (kTasks * kWays * kQueries)}};
  }

 private:
  // The parameters after a few steps on the examples; with `taped`, as functions of those before.
  static std::vector<Tensor> adapted(std::vector<Tensor> parameters, const Examples& examples, bool taped) {
    for (int i = 0; i < kInnerSteps; ++i) {
      const Tensor loss = cross_entropy(Network::with(parameters, examples.images), examples.labels);
      const std::vector<Tensor> gradients = grad({loss}, parameters, {}, taped, taped);
      for (std::size_t k = 0; k < parameters.size(); ++k) {
        parameters[k] = parameters[k] - gradients[k] * kInnerRate;
        if (!taped) parameters[k] = parameters[k].detach().requires_grad_();
      }
    }
    return parameters;
  }

  Network network_;
  optim::Adam optimizer_;
  Artist artist_;
};

}  // namespace

std::unique_ptr<Workload> make_maml(const WorkloadOptions& options) { return std::make_unique<Maml>(options); }

}  // namespace swage::bench
