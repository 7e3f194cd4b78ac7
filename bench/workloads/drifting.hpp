// A stream whose truth changes: samples of 32 features and a label 0 or 1, drawn by weights that are drawn anew every so many samples. Sample
// i is a function of seed and i alone, so a stream may begin anywhere.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <thread>

#include <swage/data/loopback_server.hpp>
#include <swage/data/stream.hpp>

namespace swage::bench {

class DriftingSamples {
 public:
  static constexpr std::int64_t kFeatures = 32, kWidth = kFeatures + 1;  // the label comes last

  DriftingSamples(std::uint64_t seed, std::int64_t drift, std::int64_t first) : seed_(seed), drift_(drift), next_(first) {}
  // Features are uniform with variance 1; the label is 1 with probability sigmoid(6 w·x), |w| = 1: about 9 in 100 are what no model can know.
  void write(std::span<float> sample);

 private:
  void draw_weights(std::int64_t segment);

  std::uint64_t seed_;
  std::int64_t drift_, next_, segment_ = -1;
  std::array<double, kFeatures> weights_{};
};

// Sends them to one client, on a thread of its own, until it has gone.
class SampleServer {
 public:
  explicit SampleServer(DriftingSamples samples);
  ~SampleServer();
  SampleServer(const SampleServer&) = delete;
  SampleServer& operator=(const SampleServer&) = delete;
  std::uint16_t port() const { return server_.port(); }

 private:
  data::LoopbackServer server_;
  std::thread thread_;
};

}  // namespace swage::bench
