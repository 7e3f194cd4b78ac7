// A small convolutional network on batches of random images.
#include <array>
#include <charconv>

#include <bench/workloads/all.hpp>
#include <bench/workloads/conv_model.hpp>
#include <bench/workloads/state.hpp>
#include <swage/swage.hpp>

namespace swage::bench {
namespace {

constexpr std::int64_t kBatch = 32;
constexpr std::size_t kBatches = 16;

struct Image {
  std::int64_t height = 0, width = 0, channels = 0;
};

Image parse_image(const std::string& text) {
  std::array<std::int64_t, 3> extents{};
  const char *at = text.data(), *end = at + text.size();
  bool good = true;
  for (std::size_t i = 0; i < extents.size() && good; ++i) {
    const auto [next, error] = std::from_chars(at, end, extents[i]);
    good = error == std::errc() && extents[i] > 0 && extents[i] <= 4096 && (i == 2 ? next == end : next != end && *next == 'x');
    at = good && next != end ? next + 1 : next;
  }
  if (!good) raise<ValueError>({}, "--image is height x width x channels, such as 32x32x3 or 8x8x1, not '{}'", text);
  return {extents[0], extents[1], extents[2]};
}

class Convnet final : public Workload {
 public:
  explicit Convnet(Image image) : model_(conv_model(image.channels)) {
    for (auto& [x, target] : batches_) {
      x = randn({kBatch, image.channels, image.height, image.width});
      target = randint(0, 10, {kBatch});
    }
  }

  StepOutputs step() override {
    const auto& [x, target] = batches_[next_];
    next_ = (next_ + 1) % kBatches;
    Tensor logits = model_(x);
    Tensor loss = cross_entropy(logits, target);
    loss.backward();
    optimizer_.step();
    return {.loss = loss, .outputs = {logits}};
  }
  std::int64_t units_per_step() const override { return kBatch; }

  WorkloadState state() override {
    WorkloadState state;
    add_state(state, model_);
    add_state(state, optimizer_);
    state.words.emplace_back("next", next_);
    return state;
  }
  void load_state(const WorkloadState& state) override {
    bench::load_state(state, model_);
    bench::load_state(state, optimizer_);
    next_ = word(state, "next") % kBatches;
  }

 private:
  nn::Sequential model_;
  optim::SGD optimizer_{model_.parameters(), {.lr = 0.01, .momentum = 0.9}};
  std::array<std::pair<Tensor, Tensor>, kBatches> batches_;
  std::size_t next_ = 0;
};

}  // namespace

std::unique_ptr<Workload> make_convnet(const WorkloadOptions& options) {
  return std::make_unique<Convnet>(parse_image(options.image));
}

}  // namespace swage::bench
