// Runs records one by one through the kernel table: the fallback when a trace is left, and the oracle that compiled code is
// tested against.
#pragma once

#include <optional>
#include <span>

#include <runtime/engine/kernel_table.hpp>
#include <runtime/engine/plan.hpp>
#include <runtime/trace/trace.hpp>

namespace swage {

class Interpreter {
 public:
  explicit Interpreter(const KernelTable& kernels) : kernels_(&kernels) {}

  // Runs record `i`; nothing for input, cut and view records. `storages` holds a buffer for every storage that the record
  // touches, indexed by record; `values` the offsets (of every view and input record it names), scalars and seeds.
  void run(const Trace& trace, RecordIndex i, std::span<const ValueHalf> values, std::span<void* const> storages) const;

  // What is wrong with the data of a checked op, before it runs.
  std::optional<CheckFailure> check(const Trace& trace, RecordIndex i, std::span<const ValueHalf> values,
                                    std::span<void* const> storages) const;

  // The kernel's arguments for record `i`, with addresses; for callers that keep them.
  static KernelArgs arguments(const Trace& trace, RecordIndex i, std::span<const ValueHalf> values,
                              std::span<void* const> storages);

 private:
  const KernelTable* kernels_;
};

// Offset, in elements from the start of its storage, at which record `i`'s result begins: values[i].offset for input and view
// records, that of operand 0 for in-place records (they rewrite the view they were given), 0 for all others.
std::int64_t result_offset(const Trace& trace, RecordIndex i, std::span<const ValueHalf> values);

}  // namespace swage
