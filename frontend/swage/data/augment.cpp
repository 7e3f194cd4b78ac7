#include <swage/data/augment.hpp>

#include <algorithm>
#include <vector>

#include <runtime/core/error.hpp>
#include <swage/creation.hpp>
#include <swage/detail/call.hpp>

namespace swage::data {

Tensor shifted(const Tensor& images, int reach, HostRandom& random) {
  const SiteScope scope(caller());
  const CallSite site = SiteScope::or_else({});
  detail::require_defined(site, "shifted", images);
  if (images.dim() != 4 || images.dtype() != DType::f32)
    raise<ShapeError>(site, "[shifted] takes f32 images (N×C×H×W), not {} of shape {}", name_of(images.dtype()),
                      to_string(images.sizes()));
  if (reach < 0) raise<ValueError>(site, "[shifted] the reach must not be negative");
  const Dims& sizes = images.sizes();
  const std::int64_t channels = sizes[1], height = sizes[2], width = sizes[3];
  const std::vector<float> from = images.to_vector<float>();
  std::vector<float> to(from.size(), 0.0f);
  const std::uint64_t span = 2 * static_cast<std::uint64_t>(reach) + 1;
  for (std::int64_t n = 0; n < sizes[0]; ++n) {
    const std::int64_t down = static_cast<std::int64_t>(random.below(span)) - reach;
    const std::int64_t right = static_cast<std::int64_t>(random.below(span)) - reach;
    for (std::int64_t c = 0; c < channels; ++c) {
      const std::int64_t image = (n * channels + c) * height * width;
      for (std::int64_t y = std::max<std::int64_t>(0, down); y < std::min(height, height + down); ++y)
        for (std::int64_t x = std::max<std::int64_t>(0, right); x < std::min(width, width + right); ++x)
          to[static_cast<std::size_t>(image + y * width + x)] =
              from[static_cast<std::size_t>(image + (y - down) * width + x - right)];
    }
  }
  return tensor(to, sizes);
}

}  // namespace swage::data
