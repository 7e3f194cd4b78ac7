#include <bench/harness/digest.hpp>

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include <fmt/format.h>

#include <runtime/engine/stream.hpp>

namespace swage::bench {
namespace {

constexpr std::uint64_t kMultiplier = 0x9FB21C651E98DF25ULL;

std::uint64_t mix(std::uint64_t hash, std::uint64_t word) {
  hash = (std::rotl(hash, 29) ^ word) * kMultiplier;
  return hash ^ hash >> 32;
}

template <class T>
std::uint64_t canonical_bits(T element) {
  if constexpr (std::is_same_v<T, float>) {
    return element != element ? 0x7FC00000U : std::bit_cast<std::uint32_t>(element);
  } else if constexpr (std::is_same_v<T, double>) {
    return element != element ? 0x7FF8000000000000U : std::bit_cast<std::uint64_t>(element);
  } else {
    return static_cast<std::uint64_t>(element);
  }
}

// Four independent chains keep the multiplier busy: large tensors are hashed at about 4 GB/s.
template <class T>
std::uint64_t hash_row(const T* data, std::int64_t n) {
  std::array<std::uint64_t, 4> lanes = {1, 2, 3, 4};
  std::int64_t i = 0;
  for (; i + 4 <= n; i += 4)
    for (std::size_t lane = 0; lane < 4; ++lane)
      lanes[lane] = mix(lanes[lane], canonical_bits(data[i + static_cast<std::int64_t>(lane)]));
  std::uint64_t hash = static_cast<std::uint64_t>(n);
  for (; i < n; ++i) hash = mix(hash, canonical_bits(data[i]));
  for (std::uint64_t lane : lanes) hash = mix(hash, lane);
  return hash;
}

// The elements of a strided view, row-major.
std::vector<char> gathered(const char* first, const ViewDesc& view) {
  const std::size_t bytes = size_of(view.dtype);
  std::vector<char> row(static_cast<std::size_t>(view.numel()) * bytes);
  Dims index;
  index.resize(view.rank());
  for (char* out = row.data(); out != row.data() + row.size(); out += bytes) {
    std::int64_t offset = 0;
    for (int d = 0; d < view.rank(); ++d) offset += index[d] * view.strides[d];
    std::memcpy(out, first + offset * static_cast<std::int64_t>(bytes), bytes);
    for (int d = view.rank() - 1; d >= 0 && ++index[d] == view.dims[d]; --d) index[d] = 0;
  }
  return row;
}

}  // namespace

std::uint64_t hash_elements(const void* data, std::int64_t n, DType dtype) {
  return visit(dtype, [&]<class T>(T) {
    if constexpr (std::is_same_v<T, bool>)
      return hash_row(static_cast<const std::uint8_t*>(data), n);
    else
      return hash_row(static_cast<const T*>(data), n);
  });
}

void Digest::add(std::uint64_t word) { value_ = mix(value_, word); }

void Digest::add(std::string_view text) { add(hash_row(text.data(), static_cast<std::int64_t>(text.size()))); }

void Digest::add(const Tensor& tensor) {
  if (!tensor.defined()) return add(std::uint64_t{0});
  Value& value = *tensor.value();
  Stream::current().read(value, {});
  const ViewDesc& view = value.view();
  add(static_cast<std::uint64_t>(view.dtype) << 32 | static_cast<std::uint64_t>(view.rank()));
  for (std::int64_t extent : view.dims) add(static_cast<std::uint64_t>(extent));
  if (view.numel() == 0) return;
  if (view.contiguous())
    add(hash_elements(value.address(), view.numel(), view.dtype));
  else
    add(hash_elements(gathered(static_cast<const char*>(value.address()), view).data(), view.numel(), view.dtype));
}

double root_mean_square(std::span<const Tensor> tensors) {
  double sum = 0, count = 0;
  for (const Tensor& tensor : tensors) {
    Value& value = *tensor.value();
    Stream::current().read(value, {});
    const ViewDesc& view = value.view();
    const std::vector<char> elements = gathered(static_cast<const char*>(value.address()), view);
    visit(view.dtype, [&]<class T>(T) {
      for (std::size_t i = 0; i < elements.size(); i += sizeof(T)) {
        T element;
        std::memcpy(&element, elements.data() + i, sizeof(T));
        sum += static_cast<double>(element) * static_cast<double>(element);
      }
    });
    count += static_cast<double>(view.numel());
  }
  return count == 0 ? 0 : std::sqrt(sum / count);
}

std::string Digest::text() const { return fmt::format("{:016x}", value_); }

}  // namespace swage::bench
