// Generated code against the interpreter, before anybody relies on it.
#pragma once

#include <optional>
#include <string>

#include <jit/cpu/backend.hpp>
#include <jit/program.hpp>
#include <runtime/engine/kernel_table.hpp>

namespace swage::jit {

struct Sample;

// Runs groups of one trace on made-up inputs (ordinary numbers, zeros of both signs, infinities, NaN, subnormals): small
// groups as a whole, large ones at their end and at one place inside, where the kernels run on the same box of the space.
class SelfTest {
 public:
  SelfTest(const Trace& trace, const KernelTable& kernels);

  // What differs, in words, or nothing.
  std::optional<std::string> run(const Group& group, const BoundProgram& program, GroupFunction function) const;

 private:
  struct Memory;
  std::optional<std::string> run_whole(const Group& group, const BoundProgram& program, GroupFunction function, bool awkward,
                                       const Memory& memory) const;
  std::optional<std::string> run_sample(const Group& group, const BoundProgram& program, GroupFunction function, bool awkward,
                                        const Sample& sample, const Memory& memory) const;
  void call(const BoundProgram& bound, GroupFunction function, std::int64_t begin, std::int64_t end,
            const Memory& memory) const;
  std::string describe(RecordIndex storage, std::int64_t element) const;

  const Trace& trace_;
  const KernelTable& kernels_;
  std::vector<ValueHalf> values_;
  std::vector<std::size_t> bytes_;  // by storage
  std::vector<RecordIndex> origins_;
};

}  // namespace swage::jit
