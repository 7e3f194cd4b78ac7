// From LLVM IR to machine code: no IR passes, the instruction set that the kernels use, strict floating point.
#pragma once

#include <memory>
#include <string>

namespace llvm {
class MemoryBuffer;
class Module;
class TargetMachine;
}  // namespace llvm

namespace swage::jit {

class Codegen {
 public:
  Codegen();  // for `code_target()`. Throws CompileError.
  ~Codegen();

  void prepare(llvm::Module& module) const;  // triple, layout and the attributes of every function
  std::unique_ptr<llvm::MemoryBuffer> object(llvm::Module& module, bool strength_reduction) const;
  std::string assembly(llvm::Module& module) const;

 private:
  std::unique_ptr<llvm::TargetMachine> machine_;
};

}  // namespace swage::jit
