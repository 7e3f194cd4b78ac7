#include <swage/pooling.hpp>

#include <swage/detail/require_float.hpp>
#include <swage/reduce.hpp>

namespace swage {
namespace {

// (N,C,H,W) → (N,C,H′,h,W′,w)
Tensor patches(const char* name, const Tensor& x, Pair kernel) {
  detail::require_float(name, x);
  if (kernel.height < 1 || kernel.width < 1)
    raise<ValueError>(SiteScope::or_else({}), "[{}] the kernel is at least 1×1, not {}×{}", name, kernel.height, kernel.width);
  if (x.dim() != 4 || x.size(2) < kernel.height || x.size(3) < kernel.width)
    raise<ShapeError>(SiteScope::or_else({}), "[{}] takes (N×C×H×W) with images of at least {}×{}, not {}", name, kernel.height,
                      kernel.width, to_string(x.sizes()));
  const std::int64_t rows = x.size(2) / kernel.height, columns = x.size(3) / kernel.width;
  Tensor whole = x;
  if (rows * kernel.height != x.size(2)) whole = whole.narrow(2, 0, rows * kernel.height);
  if (columns * kernel.width != x.size(3)) whole = whole.narrow(3, 0, columns * kernel.width);
  return whole.reshape({x.size(0), x.size(1), rows, kernel.height, columns, kernel.width});
}

}  // namespace

Tensor max_pool2d(const Tensor& x, Pair kernel) {
  const SiteScope scope(caller());
  return amax(patches("max_pool2d", x, kernel), {3, 5});
}

Tensor avg_pool2d(const Tensor& x, Pair kernel) {
  const SiteScope scope(caller());
  return mean(patches("avg_pool2d", x, kernel), {3, 5});
}

}  // namespace swage
