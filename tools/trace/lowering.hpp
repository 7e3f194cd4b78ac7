// A logged trace, taken through the compiler again up to a stage.
#pragma once

#include <string>

#include <tools/trace/run_log.hpp>

namespace swage::tool {

// `stage`: record, mlir, llvm, asm, cuda or ptx; UsageError for another, or where the trace cannot be compiled.
std::string lowered(const LoggedTrace& trace, const std::string& stage);

}  // namespace swage::tool
