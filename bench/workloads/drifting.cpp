#include <bench/workloads/drifting.hpp>

#include <cmath>
#include <vector>

#include <swage/data/random.hpp>

namespace swage::bench {
namespace {

constexpr std::uint64_t kSampleStride = 0x9E3779B97F4A7C15ULL, kWeightStride = 0xD1342543DE82EF95ULL;
constexpr double kSteepness = 6;

double uniform(data::HostRandom& random) { return static_cast<double>(random.next() >> 11U) * 0x1p-53; }
double unit_variance(data::HostRandom& random) { return (2 * uniform(random) - 1) * std::sqrt(3.0); }

}  // namespace

void DriftingSamples::draw_weights(std::int64_t segment) {
  data::HostRandom random(seed_ + kWeightStride * static_cast<std::uint64_t>(segment + 1));
  double square = 0;
  for (double& weight : weights_) {
    weight = unit_variance(random);
    square += weight * weight;
  }
  for (double& weight : weights_) weight *= kSteepness / std::sqrt(square);
  segment_ = segment;
}

void DriftingSamples::write(std::span<float> sample) {
  if (const std::int64_t segment = next_ / drift_; segment != segment_) draw_weights(segment);
  data::HostRandom random(~seed_ + kSampleStride * static_cast<std::uint64_t>(++next_));
  double logit = 0;
  for (std::size_t k = 0; k < weights_.size(); ++k) {
    sample[k] = static_cast<float>(unit_variance(random));
    logit += weights_[k] * static_cast<double>(sample[k]);
  }
  sample[weights_.size()] = uniform(random) < 1 / (1 + std::exp(-logit)) ? 1.0F : 0.0F;
}

SampleServer::SampleServer(DriftingSamples samples)
    : thread_([this, samples]() mutable {
        constexpr std::size_t kTogether = 64;
        std::vector<float> numbers(kTogether * DriftingSamples::kWidth);
        if (!server_.accept()) return;
        do {
          for (std::size_t i = 0; i < kTogether; ++i)
            samples.write(std::span(numbers).subspan(i * DriftingSamples::kWidth, DriftingSamples::kWidth));
        } while (server_.send(numbers));
      }) {}

SampleServer::~SampleServer() {
  server_.stop();
  thread_.join();
}

}  // namespace swage::bench
