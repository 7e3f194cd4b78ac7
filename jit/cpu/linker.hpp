// From objects to addresses. Code lives until its handle dies.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace llvm {
class MemoryBuffer;
}  // namespace llvm

namespace swage::jit {

class LinkedCode {
 public:
  virtual ~LinkedCode() = default;
  std::vector<void*> addresses;  // of the names asked for, in order
};

class Linker {
 public:
  Linker();  // throws CompileError
  ~Linker();
  // May be destroyed before the code that it linked.
  std::unique_ptr<LinkedCode> link(std::unique_ptr<llvm::MemoryBuffer> object, std::span<const std::string> names);

  struct Impl;

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace swage::jit
