#include <jit/symbols.hpp>

#include <algorithm>
#include <bit>

#include <runtime/core/error.hpp>

namespace swage::jit {
namespace {

class Symbols {
 public:
  explicit Symbols(std::span<const Numbers* const> members) : members_(members) {}

  // The symbol for a number that differs, -1 for one that does not. `kind` keeps apart what is stored in different ways.
  template <class F>
  int find(int kind, ScalarValue bound, F&& number_of) {
    std::vector<std::int64_t> values{kind};
    bool differs = false;
    for (const Numbers* member : members_) {
      values.push_back(number_of(*member));
      differs = differs || values.back() != values[1];
    }
    if (!differs) return -1;
    const auto found = std::find(known_.begin(), known_.end(), values);
    const auto k = static_cast<int>(found - known_.begin());
    if (found == known_.end()) {
      known_.push_back(std::move(values));
      bound_.push_back(bound);
    }
    return k;
  }

  template <class F>
  void replace(std::int64_t& target, F&& number_of) {
    ScalarValue bound;
    bound.integer = number_of(*members_[0]);
    const int k = find(0, bound, number_of);
    if (k < 0) return;
    for (const Numbers* member : members_)
      if (number_of(*member) == 0) throw CompileError("what stands still in one sibling moves in another");
    target = symbol(k);
  }

  template <class F>
  void replace_all(Dims& targets, F&& dims_of) {
    for (int d = 0; d < targets.rank(); ++d) replace(targets[d], [&](const Numbers& numbers) { return dims_of(numbers)[d]; });
  }

  std::vector<ScalarValue> take() { return std::move(bound_); }

 private:
  std::span<const Numbers* const> members_;
  std::vector<std::vector<std::int64_t>> known_;  // by symbol: the kind, then the number in each member
  std::vector<ScalarValue> bound_;
};

}  // namespace

std::vector<ScalarValue> name_symbols(Program& code, std::span<const Numbers* const> members) {
  Symbols symbols(members);
  symbols.replace_all(code.outer, [](const Numbers& n) -> const Dims& { return n.outer; });
  symbols.replace_all(code.inner, [](const Numbers& n) -> const Dims& { return n.inner; });
  symbols.replace(code.columns, [](const Numbers& n) { return n.columns; });
  for (std::size_t p = 0; p < code.pointers.size(); ++p)
    for (const auto strides : {&Pointer::outer, &Pointer::inner, &Pointer::vector})
      symbols.replace_all(code.pointers[p].*strides, [&](const Numbers& n) -> const Dims& { return n.pointers[p].*strides; });
  std::size_t literal = 0;
  for (Node& node : code.nodes) {
    if (node.kind != Node::Kind::literal) continue;
    const bool integer = node.scalar_class == DType::i64;
    ScalarValue bound;
    if (integer)
      bound.integer = static_cast<std::int64_t>(node.real);
    else
      bound.real = node.real;
    const int k = symbols.find(integer ? 1 : 2, bound,
                               [&](const Numbers& n) { return std::bit_cast<std::int64_t>(n.literals[literal]); });
    ++literal;
    if (k < 0) continue;
    node.kind = Node::Kind::slot;
    node.index = code.n_scalars + k;
    node.real = 0;
  }
  for (const Store& store : code.stores) {
    const Pointer& pointer = code.pointers[static_cast<std::size_t>(store.pointer)];
    const Dims& along = code.form == Form::columns ? pointer.vector : pointer.inner;
    if (along.rank() > 0 && is_symbol(along[along.rank() - 1])) throw CompileError("siblings whose results lie differently");
  }
  auto values = symbols.take();
  code.n_symbols = static_cast<int>(values.size());
  return values;
}

}  // namespace swage::jit
