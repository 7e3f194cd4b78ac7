#include <runtime/trace/family.hpp>

#include <optional>

namespace swage {
namespace {

// What must agree of a descriptor: type, rank, and which dimensions have no or one element or do not move.
std::uint64_t outline(const ViewDesc& desc) {
  std::uint64_t word = static_cast<std::uint64_t>(desc.dtype) * 16 + static_cast<std::uint64_t>(desc.rank());
  for (int d = 0; d < desc.rank(); ++d) {
    const std::uint64_t extent = desc.dims[d] <= 1 ? static_cast<std::uint64_t>(desc.dims[d]) : 2;
    word = word * 6 + extent * 2 + (desc.strides[d] == 0);
  }
  return word;
}

bool names_descriptor(const KeyHalf& key, int k) { return key.op == Op::input || key.operands[k].is_tensor(); }

// Everything of a key that is not a descriptor or an attribute.
KeyHalf bones(const KeyHalf& key) {
  KeyHalf bare = key;
  bare.attr = 0;
  for (int k = 0; k < key.n_operands; ++k)
    if (names_descriptor(key, k)) bare.operands[k].desc = 0;
  return bare;
}

bool same_outline(DescId a, DescId b) { return a == b || outline(desc_of(a)) == outline(desc_of(b)); }

bool same_attribute(Op op, AttrId a, AttrId b) {
  if (a == b) return true;
  const Attribute &was = attribute_of(a), &is = attribute_of(b);
  if (was.dtype != is.dtype || was.ints.size() != is.ints.size()) return false;
  for (std::size_t k = 0; k < was.ints.size(); ++k)
    if (was.ints[k] != is.ints[k] && !is_extent(op, k)) return false;
  return true;
}

}  // namespace

bool is_extent(Op op, std::size_t k) {
  switch (op) {
    case Op::full:
    case Op::uniform:
    case Op::normal:
    case Op::reshape:
    case Op::expand: return true;
    case Op::iota:
    case Op::narrow: return k >= 1;
    case Op::conv2d_grad_input:
    case Op::conv2d_grad_weight: return k >= 4;
    default: return false;
  }
}

std::uint64_t family_hash(std::span<const KeyHalf> keys) {
  std::uint64_t hash = keys.size(), latest = 0;
  std::optional<DescId> desc;  // that `latest` is the outline of: neighbours mostly share it
  for (const KeyHalf& key : keys) {
    hash = mix_key(hash, bones(key));
    for (int k = 0; k < key.n_operands; ++k) {
      if (!names_descriptor(key, k)) continue;
      if (desc != key.operands[k].desc) {
        desc = key.operands[k].desc;
        latest = outline(desc_of(*desc));
      }
      hash = mix_word(hash, latest);
    }
  }
  return hash;
}

bool same_family(std::span<const KeyHalf> a, std::span<const KeyHalf> b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] == b[i]) continue;
    if (!(bones(a[i]) == bones(b[i])) || !same_attribute(a[i].op, a[i].attr, b[i].attr)) return false;
    for (int k = 0; k < a[i].n_operands; ++k)
      if (names_descriptor(a[i], k) && !same_outline(a[i].operands[k].desc, b[i].operands[k].desc)) return false;
  }
  return true;
}

}  // namespace swage
