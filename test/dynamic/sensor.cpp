// A sensor that speaks over a socket, a line a reading, and changes its mind halfway: a model predicts each reading before it learns from it.
#include <cstdio>
#include <random>
#include <string>
#include <thread>

#include <dynamic.hpp>
#include <fmt/format.h>

#include <swage/swage.hpp>

namespace swage::dynamic {
namespace {

constexpr int kReadings = 4000;

// Two distances, and what follows from them: 2a − b, later b − a.
void be_a_sensor(data::LoopbackServer& server) {
  std::mt19937 random(4);
  const auto distance = [&] { return static_cast<double>(random() % 2001) / 1000 - 1; };
  if (!server.accept()) return;
  for (int i = 0; i < kReadings; ++i) {
    const double a = distance(), b = distance();
    const std::string line = fmt::format("{},{},{}\n", a, b, i < kReadings / 2 ? 2 * a - b : b - a);
    if (!server.send_bytes(line)) return;
  }
  server.close();
}

}  // namespace

void sensor() {
  manual_seed(4);
  data::LoopbackServer server;
  std::thread thread([&] { be_a_sensor(server); });
  nn::Linear model{2, 1};
  optim::SGD sgd(model.parameters(), {.lr = 0.05});

  std::vector<float> errors;
  auto readings = data::DataStream::loopback(server.port(), data::csv_records(3));
  for (auto& reading : readings) {
    const Tensor guess = model(reading.narrow(1, 0, 2));
    const Tensor loss = mse_loss(guess, reading.narrow(1, 2, 1));
    errors.push_back(loss.item<float>());  // of a model that has not seen it
    loss.backward();
    sgd.step();
  }
  thread.join();

  const auto mean_from = [&](std::size_t first) {
    float mean = 0;
    for (std::size_t i = first; i < first + 50 && i < errors.size(); ++i) mean += errors[i] / 50;
    return mean;
  };
  const float before = mean_from(kReadings / 2 - 50), after = mean_from(kReadings / 2), later = mean_from(kReadings - 50);
  std::printf("%zu readings; when the sensor changed the error %s\n", errors.size(),
              before < 0.01 && after > 0.1 && later < 0.01 ? "rose, and it is back" : "did something else");
}

}  // namespace swage::dynamic
