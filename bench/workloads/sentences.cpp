#include <bench/workloads/sentences.hpp>

#include <fstream>
#include <sstream>

#include <swage/swage.hpp>

namespace swage::bench {
namespace {

std::vector<Sentence> read(const std::filesystem::path& file, bool tagged) {
  std::ifstream in(file);
  if (!in) raise<IoError>({}, "[read_sentences] cannot read {}", file.string());
  std::vector<Sentence> sentences;
  std::size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    Sentence sentence;
    std::istringstream tokens(line);
    for (std::string token; tokens >> token;) {
      if (!tagged) {
        sentence.words.push_back(std::move(token));
        continue;
      }
      const std::size_t bar = token.rfind('|');
      if (bar == std::string::npos || bar == 0 || bar + 1 == token.size())
        raise<ValueError>({}, "[read_tagged] {}:{} has '{}' where a word and its tag should be, such as London|I-LOC",
                          file.string(), number, token);
      sentence.words.push_back(token.substr(0, bar));
      sentence.tags.push_back(token.substr(bar + 1));
    }
    if (!sentence.words.empty()) sentences.push_back(std::move(sentence));
  }
  if (sentences.empty()) raise<ValueError>({}, "[read_sentences] {} has no sentences", file.string());
  return sentences;
}

}  // namespace

std::vector<Sentence> read_sentences(const std::filesystem::path& file) { return read(file, false); }
std::vector<Sentence> read_tagged(const std::filesystem::path& file) { return read(file, true); }

}  // namespace swage::bench
