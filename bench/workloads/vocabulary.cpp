#include <bench/workloads/vocabulary.hpp>

namespace swage::bench {

std::int32_t Vocabulary::number_of(const std::string& word) {
  if (const auto found = numbers.find(word); found != numbers.end()) return found->second;
  if (!grows) return 0;
  return numbers.emplace(word, static_cast<std::int32_t>(numbers.size()) + 1).first->second;
}

}  // namespace swage::bench
