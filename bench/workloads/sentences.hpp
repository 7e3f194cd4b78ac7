// Sentences, plain or with a tag at every word.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace swage::bench {

struct Sentence {
  std::vector<std::string> words;
  std::vector<std::string> tags;  // one a word, or none
};

// A file has one sentence a line, its words parted by blanks. Tagged words are "word|tag"; the last bar counts. Raise IoError where the
// file cannot be read, ValueError where it has no sentences, or with the line where a tag is missing.
std::vector<Sentence> read_sentences(const std::filesystem::path& file);
std::vector<Sentence> read_tagged(const std::filesystem::path& file);

}  // namespace swage::bench
