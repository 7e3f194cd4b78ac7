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
};

// Throws CompileError.
std::string lower_to_text(const Trace& trace, const EscapeMask& escapes, Stage stage);

}  // namespace swage
