#include <runtime/core/view_desc.hpp>

#include <algorithm>

#include <fmt/format.h>

#include <runtime/core/error.hpp>
#include <runtime/core/intern_table.hpp>

namespace swage {
namespace {

struct HashDesc {
  std::uint64_t operator()(const ViewDesc& desc) const {
    std::uint64_t hash = mix_word(static_cast<std::uint64_t>(desc.dtype), static_cast<std::uint64_t>(desc.rank()));
    for (std::int64_t extent : desc.dims) hash = mix_word(hash, static_cast<std::uint64_t>(extent));
    for (std::int64_t stride : desc.strides) hash = mix_word(hash, static_cast<std::uint64_t>(stride));
    return hash;
  }
};

InternTable<ViewDesc, HashDesc>& table() {
  static auto* table = new InternTable<ViewDesc, HashDesc>;
  return *table;
}

}  // namespace

Dims::Dims(std::span<const std::int64_t> values) {
  if (values.size() > kMaxRank)
    raise<ShapeError>(SiteScope::or_else({}), "a tensor has at most {} dimensions, not {}", kMaxRank, values.size());
  for (std::int64_t value : values) push_back(value);
}

void Dims::push_back(std::int64_t value) {
  if (rank_ == kMaxRank) raise<ShapeError>({}, "a tensor has at most {} dimensions", kMaxRank);
  values_[static_cast<std::size_t>(rank_++)] = value;
}

void Dims::resize(int rank, std::int64_t fill) {
  if (rank > kMaxRank) raise<ShapeError>({}, "a tensor has at most {} dimensions, not {}", kMaxRank, rank);
  for (int i = rank_; i < rank; ++i) values_[static_cast<std::size_t>(i)] = fill;
  rank_ = rank;
}

std::int64_t Dims::product() const {
  std::int64_t product = 1;
  for (std::int64_t value : *this) product *= value;
  return product;
}

std::string to_string(const Dims& dims) {
  if (dims.empty()) return "()";
  return fmt::format("{}", fmt::join(dims, "×"));
}

Dims contiguous_strides(const Dims& dims) {
  Dims strides;
  strides.resize(dims.rank());
  std::int64_t stride = 1;
  for (int i = dims.rank() - 1; i >= 0; --i) {
    strides[i] = stride;
    stride *= std::max<std::int64_t>(dims[i], 1);
  }
  return strides;
}

bool ViewDesc::contiguous() const {
  std::int64_t stride = 1;
  for (int i = rank() - 1; i >= 0; --i) {
    if (dims[i] == 0) return true;
    if (dims[i] != 1 && strides[i] != stride) return false;
    stride *= dims[i];
  }
  return true;
}

std::int64_t ViewDesc::span_elements() const {
  std::int64_t last = 0;
  for (int i = 0; i < rank(); ++i) {
    if (dims[i] == 0) return 0;
    last += (dims[i] - 1) * strides[i];
  }
  return last + 1;
}

bool ViewDesc::overlaps_itself() const {
  // Sorted by stride, each dimension must step over everything that the smaller ones reach.
  std::vector<std::pair<std::int64_t, std::int64_t>> steps;
  for (int i = 0; i < rank(); ++i) {
    if (dims[i] == 0) return false;
    if (dims[i] > 1) steps.emplace_back(strides[i], dims[i]);
  }
  std::ranges::sort(steps);
  std::int64_t reach = 0;
  for (const auto& [stride, extent] : steps) {
    if (stride <= reach) return true;
    reach += (extent - 1) * stride;
  }
  return false;
}

std::string to_string(const ViewDesc& desc) {
  if (desc.strides == contiguous_strides(desc.dims))
    return fmt::format("{}[{}]", name_of(desc.dtype), fmt::join(desc.dims, ","));
  return fmt::format("{}[{}:{}]", name_of(desc.dtype), fmt::join(desc.dims, ","), fmt::join(desc.strides, ","));
}

DescId intern(const ViewDesc& desc) { return table().intern(desc); }

DescId intern(DType dtype, const Dims& dims) { return table().intern({dtype, dims, contiguous_strides(dims)}); }

const ViewDesc& desc_of(DescId id) { return table()[id]; }

bool broadcast(const Dims& a, const Dims& b, Dims& result) {
  const int rank = std::max(a.rank(), b.rank());
  Dims dims;
  dims.resize(rank);
  for (int i = 0; i < rank; ++i) {
    const int ia = i - (rank - a.rank()), ib = i - (rank - b.rank());
    const std::int64_t ea = ia < 0 ? 1 : a[ia], eb = ib < 0 ? 1 : b[ib];
    if (ea != eb && ea != 1 && eb != 1) return false;
    dims[i] = ea == 1 ? eb : ea;
  }
  result = dims;
  return true;
}

}  // namespace swage
