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
  Codegen();  // for this machine; honours SWAGE_ISA (avx2 or avx512). Throws CompileError.
  ~Codegen();

  void prepare(llvm::Module& module) const;  // triple, layout and the attributes of every function
  std::unique_ptr<llvm::MemoryBuffer> object(llvm::Module& module, bool strength_reduction) const;
  std::string assembly(llvm::Module& module) const;
  bool avx512() const { return avx512_; }

 private:
  bool avx512_ = false;
  std::unique_ptr<llvm::TargetMachine> machine_;
};

}  // namespace swage::jit
