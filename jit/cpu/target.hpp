// The machine that code is generated for, known without the code generator.
#pragma once

#include <string>
#include <string_view>

namespace swage::jit {

// What the generator's options are called in the key of stored code: another text is other code.
inline constexpr std::string_view kCodegenOptions = "level 1; strict; no lsr but for columns; no misched; no machine cse";

struct Target {
  bool avx512 = false;
  std::string features;  // all that generated code may use, as LLVM writes them
};

// This machine's; honours SWAGE_ISA (avx2 or avx512).
const Target& code_target();

}  // namespace swage::jit
