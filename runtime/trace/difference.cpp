#include <runtime/trace/difference.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace swage {
namespace {

std::string differs(std::string_view field, std::string_view was, std::string_view is) {
  return fmt::format("{}: {} instead of {}", field, is, was);
}
std::string differs(std::string_view field, std::int64_t was, std::int64_t is) {
  return fmt::format("{}: {} instead of {}", field, is, was);
}

std::string describe_difference(int k, const ViewDesc& was, const ViewDesc& is) {
  const auto whole = [&] { return fmt::format(" ({} instead of {})", to_string(is), to_string(was)); };
  if (was.dtype != is.dtype)
    return differs(fmt::format("type of operand {}", k), name_of(was.dtype), name_of(is.dtype)) + whole();
  if (was.rank() != is.rank()) return differs(fmt::format("rank of operand {}", k), was.rank(), is.rank()) + whole();
  std::string text;
  for (int d = 0; d < was.rank(); ++d)
    if (was.dims[d] != is.dims[d])
      text += (text.empty() ? "" : ", ") +
              differs(fmt::format("extent of operand {} along dimension {}", k, d), was.dims[d], is.dims[d]);
  return (text.empty() ? fmt::format("layout of operand {}", k) : text) + whole();
}

std::string describe_difference(const Attribute& was, const Attribute& is) {
  if (was.dtype != is.dtype) return differs("attribute, type", name_of(was.dtype), name_of(is.dtype));
  if (was.ints.size() != is.ints.size())
    return differs("attribute", fmt::format("{{{}}}", fmt::join(was.ints, ",")),
                   fmt::format("{{{}}}", fmt::join(is.ints, ",")));
  for (std::size_t k = 0; k < was.ints.size(); ++k)
    if (was.ints[k] != is.ints[k]) return differs(fmt::format("attribute, number {}", k), was.ints[k], is.ints[k]);
  return differs("literal", fmt::format("{}", was.real), fmt::format("{}", is.real));
}

}  // namespace

std::string describe_difference(const KeyHalf& expected, const KeyHalf& got) {
  const auto name = [](const KeyHalf& key) {
    return fmt::format("{}{}{}", name_of(key.op), key.in_place() ? "_" : "",
                       key.flags & KeyHalf::kAtOnce ? " of memory that the user holds" : "");
  };
  if (expected.op != got.op || expected.flags != got.flags) return differs("op", name(expected), name(got));
  if (expected.attr != got.attr) return describe_difference(attribute_of(expected.attr), attribute_of(got.attr));
  for (int k = 0; k < 3; ++k) {
    const OperandKey &was = expected.operands[k], &is = got.operands[k];
    if (was == is) continue;
    const auto kind = [&](const OperandKey& operand) {
      if (operand.is_tensor()) {
        const std::string_view what = expected.op == Op::input ? "the storage that entered" : "the value";
        return fmt::format("{} {} records before", what, operand.ref);
      }
      if (operand.is_scalar())
        return fmt::format("{} {}", operand.ref == kScalarSlot ? "a scalar" : "a literal",
                           name_of(static_cast<DType>(operand.desc)));
      return std::string(expected.op == Op::input ? "a storage of its own" : "nothing");
    };
    if (was.ref != is.ref) return differs(fmt::format("operand {}", k), kind(was), kind(is));
    const bool shaped = expected.op == Op::input || was.is_tensor();
    return shaped ? describe_difference(k, desc_of(was.desc), desc_of(is.desc))
                  : differs(fmt::format("operand {}", k), kind(was), kind(is));
  }
  return "nothing";
}

}  // namespace swage
