// Executable memory. Written once, then read-only: no page is ever writable and executable.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include <jit/cpu/code_image.hpp>

namespace swage::jit {

class CodePages {
 public:
  // Copies the images in. Throws CompileError where the system gives no memory for code.
  explicit CodePages(std::span<const CodeImage> images);
  ~CodePages();
  CodePages(const CodePages&) = delete;
  CodePages& operator=(const CodePages&) = delete;

  void* entry(std::size_t image) const { return entries_[image]; }
  std::size_t bytes() const { return bytes_; }

 private:
  void* memory_ = nullptr;
  std::size_t bytes_ = 0;
  std::vector<void*> entries_;
};

}  // namespace swage::jit
