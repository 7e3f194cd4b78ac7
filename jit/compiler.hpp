// The compiler for the CPU: traces to plans of fused native groups and library calls.
#pragma once

#include <memory>

#include <runtime/engine/plan.hpp>

namespace swage {

// Holds a code generator, set up when code must first be generated, and the code of programs seen before. `compile` is used by one
// thread at a time, `recall` by any. Its plans may outlive it.
std::unique_ptr<Compiler> make_cpu_compiler();

}  // namespace swage
