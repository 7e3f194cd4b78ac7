// A trace run compiled and interpreted on the same made-up inputs, and compared by every byte that is visible outside.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <runtime/engine/kernel_table.hpp>
#include <runtime/engine/plan.hpp>
#include <runtime/trace/trace.hpp>

namespace swage::jit {

// Buffers and values for one run of a trace, made up from a seed. Indices are in range.
class Inputs {
 public:
  Inputs(const Trace& trace, std::uint64_t seed);
  std::vector<ValueHalf> values;
  std::vector<std::vector<std::uint8_t>> contents;  // by storage, before the run
};

// Copies of the contents, for one run. Raises MemoryError.
struct Buffers {
  explicit Buffers(const Inputs& inputs);
  ~Buffers();
  Buffers(const Buffers&) = delete;
  Buffers& operator=(const Buffers&) = delete;
  std::vector<std::size_t> sizes;
  std::vector<void*> data;
};

// The first element that differs, in words, or nothing. All NaN are one.
std::string difference(const Trace& trace, RecordIndex storage, const void* want, const void* got, std::size_t bytes);

struct Difference {
  RecordIndex storage =
      0;  // the first one, in the order of the last writes; the trace's size where the plan refused the inputs
  std::string words;
};
// Runs both several times with different offsets, scalars and inputs.
std::optional<Difference> compare_with_interpreter(const Trace& trace, Plan& plan, const KernelTable& kernels,
                                                   std::uint64_t seed);

}  // namespace swage::jit
