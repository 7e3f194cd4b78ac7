// What tells two records apart, in words.
#pragma once

#include <string>

#include <runtime/trace/op_record.hpp>

namespace swage {

// Which field of `got` differs from `expected`: "extent of operand 0 along dimension 0: 33 instead of 32 (f32[33,4] instead of f32[32,4])".
std::string describe_difference(const KeyHalf& expected, const KeyHalf& got);

}  // namespace swage
