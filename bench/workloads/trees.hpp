// Binary trees with a label at every node, in the brackets of the Stanford Sentiment Treebank (Socher et al., "Recursive deep models for
// semantic compositionality over a sentiment treebank", EMNLP 2013): "(3 (2 Fine) (4 work))". A file has one tree a line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include <bench/workloads/vocabulary.hpp>
#include <swage/data/random.hpp>

namespace swage::bench {

struct TreeNode {
  std::int32_t label = 0;
  std::int32_t word = -1;              // leaves: its number; −1 for inner nodes
  std::int32_t left = -1, right = -1;  // inner nodes: their children, which stand before them
};

struct Tree {
  std::vector<TreeNode> nodes;  // children before parents; the root is the last
  std::int64_t words() const { return (static_cast<std::int64_t>(nodes.size()) + 1) / 2; }
};

// A binary tree of so many words, split in two at a random place again and again; its words and labels are to be filled in.
Tree random_tree(std::int64_t words, data::HostRandom& random);
// A hash of the structure alone.
std::uint64_t structure_key(const Tree& tree);

// Raises IoError where the file cannot be read, ValueError with the line where it is no tree.
std::vector<Tree> read_trees(const std::filesystem::path& file, Vocabulary& vocabulary);

}  // namespace swage::bench
