// Numbers that differ between the traces that share a program, as symbols that its code reads at run time.
#pragma once

#include <span>
#include <vector>

#include <jit/program.hpp>

namespace swage::jit {

// The numbers that one trace gives a program. `literals` are in the order of the literal nodes.
struct Numbers {
  Dims outer, inner;
  std::int64_t columns = 1;
  std::vector<Pointer> pointers;
  std::vector<double> literals;
};

// Replaces what is not the same in all of `members` by symbols (numbers that agree in each member share one) and gives the
// symbols' values in members[0]. Throws CompileError where the members cannot share code: something moves in one and stands
// still in another, or results lie differently.
std::vector<ScalarValue> name_symbols(Program& code, std::span<const Numbers* const> members);

}  // namespace swage::jit
