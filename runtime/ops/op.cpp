#include <runtime/ops/op.hpp>

namespace swage {

std::optional<Op> op_by_name(std::string_view name) {
  for (const OpInfo& row : kOpTable)
    if (row.name == name) return row.op;
  return std::nullopt;
}

}  // namespace swage
