#include <bench/workloads/trees.hpp>

#include <charconv>
#include <fstream>
#include <string>
#include <string_view>

#include <swage/swage.hpp>

namespace swage::bench {
namespace {

class Parser {
 public:
  Parser(std::string_view text, Vocabulary& vocabulary) : text_(text), vocabulary_(vocabulary) {}

  // False where the line is no tree.
  bool parse(Tree& tree) { return node(tree) >= 0 && at_ == text_.size(); }

 private:
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  // The number of the node, or −1.
  std::int32_t node(Tree& tree) {
    TreeNode made;
    if (!take('(') || depth_ > kDeepest) return -1;
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), made.label);
    if (error != std::errc()) return -1;
    at_ = static_cast<std::size_t>(end - text_.data());
    if (!take(' ')) return -1;
    if (at_ < text_.size() && text_[at_] == '(') {
      ++depth_;
      made.left = node(tree);
      if (made.left < 0 || !take(' ')) return -1;
      made.right = node(tree);
      if (made.right < 0) return -1;
      --depth_;
    } else {
      const std::size_t close = text_.find(')', at_);
      if (close == std::string_view::npos || close == at_) return -1;
      made.word = vocabulary_.number_of(std::string(text_.substr(at_, close - at_)));
      at_ = close;
    }
    if (!take(')')) return -1;
    tree.nodes.push_back(made);
    return static_cast<std::int32_t>(tree.nodes.size() - 1);
  }

  static constexpr int kDeepest = 1000;
  std::string_view text_;
  Vocabulary& vocabulary_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

std::int32_t add_random(Tree& tree, std::int64_t words, data::HostRandom& random) {
  TreeNode made;
  if (words == 1) {
    made.word = 0;
  } else {
    const auto on_the_left = 1 + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(words - 1)));
    made.left = add_random(tree, on_the_left, random);
    made.right = add_random(tree, words - on_the_left, random);
  }
  tree.nodes.push_back(made);
  return static_cast<std::int32_t>(tree.nodes.size() - 1);
}

}  // namespace

Tree random_tree(std::int64_t words, data::HostRandom& random) {
  Tree tree;
  add_random(tree, words, random);
  return tree;
}

std::uint64_t structure_key(const Tree& tree) {
  std::uint64_t key = tree.nodes.size();
  for (const TreeNode& node : tree.nodes) {
    key ^= static_cast<std::uint64_t>(node.left + 1) << 32 | static_cast<std::uint64_t>(node.right + 1);
    key = split_mix(key);
  }
  return key;
}

std::vector<Tree> read_trees(const std::filesystem::path& file, Vocabulary& vocabulary) {
  std::ifstream in(file);
  if (!in) raise<IoError>({}, "[read_trees] cannot read {}", file.string());
  std::vector<Tree> trees;
  std::size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    if (line.empty()) continue;
    Tree tree;
    if (!Parser(line, vocabulary).parse(tree))
      raise<ValueError>({}, "[read_trees] {}:{} is no binary tree in brackets, such as (3 (2 Fine) (4 work))", file.string(),
                        number);
    trees.push_back(std::move(tree));
  }
  if (trees.empty()) raise<ValueError>({}, "[read_trees] {} has no trees", file.string());
  return trees;
}

}  // namespace swage::bench
