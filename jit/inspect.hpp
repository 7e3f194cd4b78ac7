// What a trace becomes, as text.
#pragma once

#include <string>

#include <runtime/trace/trace.hpp>

namespace swage {

enum class Stage {
  record,  // the records, and the groups they fall into
  mlir,    // what is emitted for each distinct group
  llvm,    // LLVM IR
  asm_,    // machine code
  cuda,    // CUDA C++, and which groups have none
  ptx,     // what NVRTC makes of that, for sm_90
};

// Throws CompileError; for ptx also where NVRTC is not to be found.
std::string lower_to_text(const Trace& trace, const EscapeMask& escapes, Stage stage);

}  // namespace swage
