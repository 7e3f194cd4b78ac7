// Runs a trace compiled and interpreted on the same inputs and compares every byte that is visible outside.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <jit/side_by_side.hpp>
#include <runtime/engine/kernel_table.hpp>
#include <runtime/engine/plan.hpp>
#include <runtime/trace/trace.hpp>

namespace swage::test {

struct Parsed {
  Trace trace;
  EscapeMask escapes;
};
Parsed parse(std::string_view text);

const KernelTable& kernels();
Compiler& compiler();  // one for the whole executable

struct Outcome {
  CompileResult compiled;
  std::string difference;  // empty: same bits
  double compile_ms = 0;
};

// Compiles and runs twice with different offsets, scalars and inputs.
Outcome compare(const Trace& trace, const EscapeMask& escapes, std::uint64_t seed = 1);
Outcome compare(std::string_view text, std::uint64_t seed = 1);

using jit::Buffers;
using jit::difference;
using jit::Inputs;

}  // namespace swage::test
