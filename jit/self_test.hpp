// Generated code against the interpreter, before anybody relies on it.
#pragma once

#include <optional>
#include <string>

#include <jit/cpu/backend.hpp>
#include <jit/program.hpp>
#include <runtime/engine/kernel_table.hpp>

namespace swage::jit {

// Groups over more elements are not tested: the interpreter alone would take long.
inline constexpr std::int64_t kSelfTestElements = std::int64_t{1} << 20;

// Runs groups of one trace on made-up inputs (ordinary numbers, zeros of both signs, infinities, NaN, subnormals).
class SelfTest {
 public:
  SelfTest(const Trace& trace, const KernelTable& kernels);

  // What differs, in words, or nothing.
  std::optional<std::string> run(const Group& group, const BoundProgram& program, GroupFunction function) const;

 private:
  void fill(RecordIndex storage, void* data) const;

  const Trace& trace_;
  const KernelTable& kernels_;
  std::vector<ValueHalf> values_;
  std::vector<std::size_t> bytes_;  // by storage
};

}  // namespace swage::jit
