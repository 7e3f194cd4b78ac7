#include <tools/demo/deploy.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include <bench/workloads/conv_model.hpp>
#include <bench/workloads/digits.hpp>

namespace swage::tool {
namespace {

constexpr std::int64_t kSide = 8;
constexpr std::size_t kDrawn = 5;  // side by side: 18 columns each

// Two characters a pixel, darker with more ink.
std::string ink(float value) {
  constexpr std::string_view kShades = " .:-=+*#%@";
  const auto shade =
      static_cast<std::size_t>(std::lround(std::clamp(value, 0.0F, 1.0F) * static_cast<float>(kShades.size() - 1)));
  return std::string(2, kShades[shade]);
}

void draw(const std::vector<float>& pixels, const std::vector<std::int64_t>& classes, const std::vector<std::int64_t>& labels) {
  const std::size_t drawn = std::min(kDrawn, labels.size());
  for (std::int64_t y = 0; y < kSide; ++y) {
    std::string row;
    for (std::size_t i = 0; i < drawn; ++i) {
      for (std::int64_t x = 0; x < kSide; ++x) row += ink(pixels[i * kSide * kSide + static_cast<std::size_t>(y * kSide + x)]);
      row += "  ";
    }
    fmt::print("{}\n", row);
  }
  std::string row;
  for (std::size_t i = 0; i < drawn; ++i)
    row += fmt::format(
        "{:<18}", fmt::format("{} {}", classes[i], classes[i] == labels[i] ? "(right)" : fmt::format("(is {})", labels[i])));
  fmt::print("{}\n", row);
}

}  // namespace

void deploy(const std::filesystem::path& path, const data::Digits& digits) {
  nn::Sequential model = bench::conv_model(1);
  model.load(path.string());
  const auto classes = bench::predict(model, digits.images).to_vector<std::int64_t>();
  const auto labels = digits.labels.to_vector<std::int64_t>();
  draw(digits.images.to_vector<float>(), classes, labels);
  std::size_t right = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) right += classes[i] == labels[i] ? 1 : 0;
  fmt::print("{} of {} held-out images read right\n", right, labels.size());
}

}  // namespace swage::tool
