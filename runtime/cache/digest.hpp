// Sums over bytes, for names and integrity. Not against an adversary: the folder is private, and keys are compared whole.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include <runtime/core/intern_table.hpp>

namespace swage {

inline std::uint64_t digest(std::string_view bytes, std::uint64_t seed) {
  std::uint64_t sum = mix_word(seed, bytes.size());
  while (bytes.size() >= sizeof(std::uint64_t)) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data(), sizeof word);
    sum = mix_word(sum, word);
    bytes.remove_prefix(sizeof word);
  }
  std::uint64_t last = 0;
  if (!bytes.empty()) std::memcpy(&last, bytes.data(), bytes.size());
  return mix_word(sum, last);
}

// 32 hexadecimal digits.
inline std::string digest_name(std::string_view bytes) {
  return fmt::format("{:016x}{:016x}", digest(bytes, 1), digest(bytes, 2));
}

}  // namespace swage
