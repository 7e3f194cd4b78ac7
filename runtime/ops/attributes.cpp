#include <runtime/ops/attributes.hpp>

#include <bit>

#include <runtime/core/intern_table.hpp>

namespace swage {
namespace {

struct HashAttribute {
  std::uint64_t operator()(const Attribute& attribute) const {
    std::uint64_t hash = mix_word(std::bit_cast<std::uint64_t>(attribute.real), static_cast<std::uint64_t>(attribute.dtype));
    for (std::int64_t value : attribute.ints) hash = mix_word(hash, static_cast<std::uint64_t>(value));
    return mix_word(hash, attribute.ints.size());
  }
};

InternTable<Attribute, HashAttribute>& table() {
  static auto* table = [] {
    auto* made = new InternTable<Attribute, HashAttribute>;
    made->intern(Attribute{});  // id 0
    return made;
  }();
  return *table;
}

}  // namespace

bool operator==(const Attribute& a, const Attribute& b) {
  return a.ints == b.ints && a.dtype == b.dtype && std::bit_cast<std::uint64_t>(a.real) == std::bit_cast<std::uint64_t>(b.real);
}

AttrId intern(const Attribute& attribute) { return table().intern(attribute); }

const Attribute& attribute_of(AttrId id) { return table()[id]; }

std::string_view name_of(CutReason reason) {
  switch (reason) {
    case CutReason::step_end: return "step_end";
    case CutReason::host_read: return "host_read";
    case CutReason::scope: return "scope";
    case CutReason::recurrence: return "recurrence";
    case CutReason::length: return "length";
    case CutReason::flush: return "flush";
  }
  return "?";
}

}  // namespace swage
