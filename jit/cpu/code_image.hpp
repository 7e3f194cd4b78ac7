// Machine code of one group function, cut out of an object file. The constants that it reads stand before it and are addressed
// relative to it, so an image runs wherever it is copied to.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace swage::jit {

inline constexpr std::size_t kImageAlignment = 64;  // of the address that it is copied to

struct CodeImage {
  std::string bytes;
  std::uint32_t entry = 0;  // where the function begins
};

// The images of the named functions of an x86-64 ELF object, in order. Throws CompileError for what group functions never need:
// calls, addresses in data, symbols from elsewhere.
std::vector<CodeImage> images_of(std::string_view object, std::span<const std::string> names);

}  // namespace swage::jit
