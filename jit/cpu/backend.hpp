// Group programs in, native functions out. The only part of cpu/ that the rest of jit/ sees; no LLVM or MLIR types in it.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include <jit/program.hpp>
#include <runtime/trace/op_record.hpp>

namespace swage::jit {

// Runs units [begin, end). A split program is told by `begin` = -1 to combine what all its units left behind `pointers`' last
// entry, which is one more than the program has.
using GroupFunction = void (*)(void* const* pointers, const ScalarValue* scalars, std::int64_t begin, std::int64_t end);

class NativeCode {
 public:
  virtual ~NativeCode() = default;
  std::vector<GroupFunction> functions;  // one a program
};

class CpuBackend {
 public:
  CpuBackend();
  ~CpuBackend();
  // Throws CompileError.
  std::unique_ptr<NativeCode> compile(std::span<const Program* const> programs);

  enum class Text { mlir, llvm, assembly };
  std::string text(std::span<const Program* const> programs, Text stage);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace swage::jit
