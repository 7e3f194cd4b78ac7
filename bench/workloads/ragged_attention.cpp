// Attention over a ragged batch without padding: 32 sequences a step, whose lengths follow Zipf's law with exponent 1.2 up to 256; width 128, 4
// heads. Forward and backward, no update; the loss is the sum of squares of what comes out. Every step has other lengths, drawn from the seed;
// the tokens are rows of one table of random numbers, those of a sequence side by side. Units are tokens.
#include <algorithm>
#include <array>
#include <cmath>

#include <bench/workloads/all.hpp>
#include <bench/workloads/state.hpp>
#include <swage/data/random.hpp>
#include <swage/swage.hpp>

namespace swage::bench {
namespace {

constexpr std::int64_t kSequences = 32, kLongest = 256, kWidth = 128, kHeads = 4;
constexpr double kExponent = 1.2;

// Lengths 1 … kLongest, with probability proportional to length^−kExponent.
class Lengths {
 public:
  explicit Lengths(std::uint64_t seed) : random_(seed) {
    double sum = 0;
    for (std::size_t i = 0; i < below_.size(); ++i) below_[i] = sum += std::pow(static_cast<double>(i + 1), -kExponent);
    for (double& bound : below_) bound /= sum;
  }
  std::int64_t next() {
    const double x = static_cast<double>(random_.next() >> 11) * 0x1p-53;
    const auto at = std::ranges::upper_bound(below_, x) - below_.begin();
    return std::min<std::int64_t>(at + 1, kLongest);
  }
  std::uint64_t position() const { return random_.state(); }
  void set_position(std::uint64_t state) { random_.set_state(state); }

 private:
  data::HostRandom random_;
  std::array<double, kLongest> below_{};
};

auto sequence_cell(nn::MultiheadAttention& attention) {
  const auto loss = [&attention](const Tensor& x) { return sum(square(attention(x.unsqueeze(0)))); };
  return cell("sequence", loss, {.pure = true});
}

class RaggedAttention final : public Workload {
 public:
  explicit RaggedAttention(const WorkloadOptions& options)
      : table_(randn({kSequences * kLongest, kWidth})), parameters_(attention_.parameters()), lengths_(options.seed) {}

  StepOutputs step() override {
    tokens_ = 0;
    const Tensor loss = batch([&] {
      std::vector<Tensor> losses;
      for (std::int64_t i = 0; i < kSequences; ++i) {
        const std::int64_t length = lengths_.next();
        losses.push_back(sequence_(table_.narrow(0, tokens_, length)));
        tokens_ += length;
      }
      return sum_of(losses);
    });
    loss.backward();
    const StepOutputs outputs = {.loss = loss,
                                 .outputs = {attention_.in_proj_weight.grad(), attention_.out_proj.weight.grad()}};
    for (const Tensor& parameter : parameters_) parameter.set_grad({});
    swage::step();
    return outputs;
  }
  std::int64_t units_per_step() const override { return tokens_; }

  WorkloadState state() override {
    WorkloadState state;
    add_state(state, attention_);
    state.words.emplace_back("lengths", lengths_.position());
    return state;
  }
  void load_state(const WorkloadState& state) override {
    bench::load_state(state, attention_);
    lengths_.set_position(word(state, "lengths"));
  }

 private:
  nn::MultiheadAttention attention_{kWidth, kHeads};
  Tensor table_;
  std::vector<Tensor> parameters_;
  Lengths lengths_;
  std::int64_t tokens_ = 0;  // of the latest step
  decltype(sequence_cell(attention_)) sequence_ = sequence_cell(attention_);
};

}  // namespace

std::unique_ptr<Workload> make_ragged_attention(const WorkloadOptions& options) {
  return std::make_unique<RaggedAttention>(options);
}

}  // namespace swage::bench
