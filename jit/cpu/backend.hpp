// Group programs in, machine code out. The only part of cpu/ that the rest of jit/ sees; no LLVM or MLIR types in it.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include <jit/cpu/code_image.hpp>
#include <jit/program.hpp>
#include <runtime/trace/op_record.hpp>

namespace swage::jit {

// Runs units [begin, end). A split program is told by `begin` = -1 to combine what all its units left behind `pointers`' last
// entry, which is one more than the program has.
using GroupFunction = void (*)(void* const* pointers, const ScalarValue* scalars, std::int64_t begin, std::int64_t end);

// The code generator. Nothing of MLIR or LLVM is set up before the first call.
class CpuBackend {
 public:
  CpuBackend();
  ~CpuBackend();
  // One image a program, a GroupFunction each. Throws CompileError.
  std::vector<CodeImage> generate(std::span<const Program* const> programs);

  enum class Text { mlir, llvm, assembly };
  std::string text(std::span<const Program* const> programs, Text stage);

 private:
  struct Impl;
  Impl& impl();
  std::unique_ptr<Impl> impl_;
};

}  // namespace swage::jit
