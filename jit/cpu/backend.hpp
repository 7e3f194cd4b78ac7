// Group programs in, native functions out. The only part of cpu/ that the rest of jit/ sees; no LLVM or MLIR types in it.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include <jit/program.hpp>
#include <runtime/trace/op_record.hpp>

namespace swage::jit {

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
  // All programs in one module. Throws CompileError.
  std::unique_ptr<NativeCode> compile(std::span<const Program* const> programs);

  enum class Text { mlir, llvm, assembly };
  std::string text(std::span<const Program* const> programs, Text stage);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace swage::jit
