// The compiler for the CPU: traces to plans of fused native groups and library calls.
#pragma once

#include <memory>

#include <runtime/engine/plan.hpp>

namespace swage {

// Holds a code generator and the code's linker; used by one thread at a time. Its plans may outlive it. Throws CompileError
// where this machine has no code generator.
std::unique_ptr<Compiler> make_cpu_compiler();

}  // namespace swage
