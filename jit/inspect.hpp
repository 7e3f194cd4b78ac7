// What a trace becomes, as text.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <runtime/trace/trace.hpp>

namespace swage {

enum class Stage {
  record,  // the records, and the groups they fall into
  fused,   // the groups, each as a loop nest, and why they are not larger
  mlir,    // what is emitted for each distinct group
  llvm,    // LLVM IR
  asm_,    // machine code
  cuda,    // CUDA C++, and which groups have none
  ptx,     // what NVRTC makes of that, for sm_90
};

// Throws CompileError; for ptx also where NVRTC is not to be found.
std::string lower_to_text(const Trace& trace, const EscapeMask& escapes, Stage stage);

// What the compiler makes of a trace, short of code.
struct PlanOutline {
  struct Group {
    bool library = false;              // one record, run by its kernel
    std::vector<RecordIndex> records;  // of `trace`
    int code = -1;  // the function `group_N` in its machine code; groups that compute the same share one; -1 for calls
    std::string text;
    std::int64_t saved_bytes = 0;  // that its records hand each other in registers instead of through memory
  };
  struct Buffer {
    RecordIndex storage = 0;
    std::size_t bytes = 0, offset = 0;
    int first = 0, last = 0;  // groups that touch it
  };
  Trace trace;  // in the layouts that are computed in
  std::vector<Group> groups;
  std::vector<std::string> notes;  // why neighbours were not fused
  std::vector<Buffer> arena;       // what lives only inside the plan
  std::size_t arena_bytes = 0;     // but for scratch memory of long reductions
};
// Throws CompileError.
PlanOutline outline_plan(const Trace& trace, const EscapeMask& escapes);

}  // namespace swage
