// Words by number.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

namespace swage::bench {

// In order of first appearance; 0 is for words that are not known.
struct Vocabulary {
  std::unordered_map<std::string, std::int32_t> numbers;
  bool grows = true;  // whether new words are added
  std::int32_t number_of(const std::string& word);
  std::int64_t size() const { return static_cast<std::int64_t>(numbers.size()) + 1; }
};

}  // namespace swage::bench
