// Code that outlives its process: images by program, in the plan cache.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <jit/cpu/code_image.hpp>

namespace swage::jit {

// What code depends on beside its program: build, LLVM, CPU, options.
const std::string& code_environment();

inline constexpr std::string_view kCodeKind = "code";
// Of an entry's payload; nothing where it is none.
std::optional<CodeImage> image_of(std::string_view payload);

// Only code that passed its self-test is stored.
std::optional<CodeImage> load_code(std::string_view program_key);
void store_code(std::string_view program_key, const CodeImage& image);

}  // namespace swage::jit
