// Tensors as text: rows in brackets, one format for all elements, the middle of long dimensions left out.
#include <cmath>
#include <ostream>

#include <fmt/format.h>

#include <swage/detail/call.hpp>
#include <swage/tensor.hpp>

namespace swage {

namespace {

constexpr std::int64_t kAbridgeAbove = 1000;  // elements
constexpr std::int64_t kEdge = 3;             // shown at each end of an abridged dimension

struct Printer {
  const ViewDesc& view;
  const void* data;
  bool abridge;
  bool scientific = false;
  bool whole = true;  // every finite element is an integer
  std::size_t width = 0;

  std::string element(std::int64_t offset) const {
    return visit(view.dtype, [&]<class T>(T) -> std::string {
      const T value = static_cast<const T*>(data)[offset];
      if constexpr (std::is_same_v<T, bool>)
        return value ? "true" : "false";
      else if constexpr (std::is_same_v<T, std::int64_t>)
        return fmt::format("{}", value);
      else {
        const auto number = static_cast<double>(value);
        if (!std::isfinite(number)) return fmt::format("{}", number);
        if (scientific) return fmt::format("{:.4e}", number);
        return whole ? fmt::format("{:.0f}.", number) : fmt::format("{:.4f}", number);
      }
    });
  }

  // Calls `f` with each offset that is shown.
  template <class F>
  void shown(int d, std::int64_t offset, F&& f) const {
    if (d == view.rank()) return f(offset);
    for (std::int64_t i = 0; i < view.dims[d]; ++i) {
      if (abridge && view.dims[d] > 2 * kEdge && i == kEdge) i = view.dims[d] - kEdge;
      shown(d + 1, offset + i * view.strides[d], f);
    }
  }

  void choose_format() {
    if (is_float(view.dtype)) {
      double least = INFINITY, greatest = 0;
      shown(0, 0, [&](std::int64_t offset) {
        const double number =
            view.dtype == DType::f32 ? static_cast<const float*>(data)[offset] : static_cast<const double*>(data)[offset];
        if (!std::isfinite(number)) return;
        if (number != std::floor(number)) whole = false;
        const double magnitude = std::abs(number);
        if (magnitude > 0) least = std::min(least, magnitude);
        greatest = std::max(greatest, magnitude);
      });
      scientific = greatest >= 1e8 || (!whole && (least < 1e-4 || greatest / least > 1e3));
    }
    shown(0, 0, [&](std::int64_t offset) { width = std::max(width, element(offset).size()); });
  }

  void print(std::string& out, int d, std::int64_t offset) const {
    if (d == view.rank()) {
      out += fmt::format("{:>{}}", element(offset), width);
      return;
    }
    const bool last = d + 1 == view.rank();
    const std::string indent(8 + static_cast<std::size_t>(d), ' ');
    const std::string separator = last ? ", " : "," + std::string(static_cast<std::size_t>(view.rank() - d - 1), '\n') + indent;
    out += '[';
    for (std::int64_t i = 0; i < view.dims[d]; ++i) {
      if (i > 0) out += separator;
      if (abridge && view.dims[d] > 2 * kEdge && i == kEdge) {
        out += "...";
        out += separator;
        i = view.dims[d] - kEdge;
      }
      print(out, d + 1, offset + i * view.strides[d]);
    }
    out += ']';
  }
};

std::string text_of(CallSite site, const Tensor& tensor) {
  if (!tensor.defined()) return "tensor(undefined)";
  detail::stream().read(*tensor.value(), SiteScope::or_else(site));
  const ViewDesc& view = tensor.value()->view();
  std::string out = "tensor(";
  if (view.numel() == 0) {
    out += "[], sizes=" + to_string(view.dims);
  } else {
    Printer printer{.view = view, .data = tensor.value()->address(), .abridge = view.numel() > kAbridgeAbove};
    printer.choose_format();
    printer.print(out, 0, 0);
  }
  if (view.dtype == DType::f64 || view.numel() == 0) out += fmt::format(", dtype={}", name_of(view.dtype));
  if (tensor.requires_grad()) out += tensor.is_leaf() ? ", requires_grad" : ", has a gradient function";
  return out + ")";
}

}  // namespace

std::string to_string(const Tensor& tensor) { return text_of(caller(), tensor); }
std::ostream& operator<<(std::ostream& out, const Tensor& tensor) { return out << text_of(caller(), tensor); }

}  // namespace swage
