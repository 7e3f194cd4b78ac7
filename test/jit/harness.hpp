// Runs a trace compiled and interpreted on the same inputs and compares every byte that is visible outside.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

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

// Buffers and values for one run of a trace, made up from a seed.
class Inputs {
 public:
  Inputs(const Trace& trace, std::uint64_t seed);
  std::vector<ValueHalf> values;
  std::vector<std::vector<std::uint8_t>> contents;  // by storage, before the run
};

// Copies of the contents, for one run.
struct Buffers {
  explicit Buffers(const Inputs& inputs);
  ~Buffers();
  Buffers(const Buffers&) = delete;
  Buffers& operator=(const Buffers&) = delete;
  std::vector<std::size_t> sizes;
  std::vector<void*> data;
};

// The first element that differs, in words, or nothing.
std::string difference(const Trace& trace, RecordIndex storage, const void* want, const void* got, std::size_t bytes);

}  // namespace swage::test
