#include <jit/cpu/code_pages.hpp>

#include <algorithm>
#include <sys/mman.h>
#include <unistd.h>

#include <fmt/format.h>

#include <runtime/core/error.hpp>

namespace swage::jit {

CodePages::CodePages(std::span<const CodeImage> images) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const auto aligned = [](std::size_t n, std::size_t unit) { return (n + unit - 1) / unit * unit; };
  std::size_t total = 0;
  for (const CodeImage& image : images) total += aligned(image.bytes.size(), kImageAlignment);
  bytes_ = aligned(total + 1, page);
  entries_.reserve(images.size());
  memory_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory_ == MAP_FAILED) throw CompileError(fmt::format("no memory for {} bytes of code", bytes_));
  char* at = static_cast<char*>(memory_);
  for (const CodeImage& image : images) {
    std::ranges::copy(image.bytes, at);
    entries_.push_back(at + image.entry);
    at += aligned(image.bytes.size(), kImageAlignment);
  }
  if (mprotect(memory_, bytes_, PROT_READ | PROT_EXEC) != 0) {
    munmap(memory_, bytes_);
    throw CompileError("this system lets no program make memory executable");
  }
}

CodePages::~CodePages() { munmap(memory_, bytes_); }

}  // namespace swage::jit
