// A program run eagerly and compiled, and what differs.
#pragma once

#include <cstdint>
#include <string>

#include <test/fuzz/program.hpp>

namespace swage::fuzz {

struct Outcome {
  std::string difference;  // in words; empty: same bits and same errors
  std::string listing;     // of the program
  std::string traces;      // text of the traces that had plans, where asked for
  std::uint64_t hits = 0;  // windows run by plans
};
// A plan that its own self-test refused counts as a difference too. Where the process has a plan cache, the program runs once more from
// what it left there; the cache is emptied afterwards.
Outcome try_program(const Recipe& recipe, bool with_traces = false);

// Leaves out whatever the difference does not need: statements, then rounds. `recipe` becomes the smaller one.
Outcome shrink(Recipe& recipe, Outcome failing);

}  // namespace swage::fuzz
