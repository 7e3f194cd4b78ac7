#include <bench/micro/pause.hpp>

#include <bench/harness/report.hpp>
#include <bench/micro/clock.hpp>
#include <bench/micro/programs.hpp>

namespace swage::bench {
namespace {

constexpr std::int64_t kElements = 1 << 14;  // a step of about 10 µs
constexpr int kFedOps = 60;
constexpr int kRunsToFeed = 4;  // sightings until a trace is compiled

class Pauses {
 public:
  std::optional<double> percentile_us(double seconds, bool compiling) {
    if (!heat([&] { step(); })) return {};
    std::vector<double> gaps;
    const auto end = Clock::now() + std::chrono::duration<double>(seconds);
    for (auto last = Clock::now(); last < end;) {
      if (compiling && compiler_idle()) {
        feed();
        step();
        last = Clock::now();
      }
      step();
      const auto now = Clock::now();
      gaps.push_back(nanoseconds(now - last) / 1000);
      last = now;
    }
    std::sort(gaps.begin(), gaps.end());
    return percentile(gaps, 0.999);
  }

 private:
  void step() {
    const Tensor y = tanh(a_ * b_ + c_) * exp(-(d_ * d_));
    swage::step();
  }

  // A trace that nobody has seen becomes hot.
  void feed() {
    ++variant_;
    for (int i = 0; i < kRunsToFeed; ++i) {
      const Tensor z = drawn_ops(small_, small_, kFedOps, variant_);
      swage::step();
    }
  }

  Tensor a_ = randn({kElements}), b_ = randn({kElements}), c_ = randn({kElements}), d_ = randn({kElements});
  Tensor small_ = randn({16});
  std::uint64_t variant_ = 1'000'000;
};

}  // namespace

std::optional<double> pause_us(double seconds) {
  set_tier(Tier::compiled);
  Pauses pauses;
  const std::optional<double> without = pauses.percentile_us(seconds, false);
  const std::optional<double> with = pauses.percentile_us(seconds, true);
  if (!without || !with) return {};
  return *with - *without;
}

}  // namespace swage::bench
