#include <jit/generic.hpp>

#include <algorithm>
#include <bit>

#include <jit/cache/program_key.hpp>

namespace swage::jit {
namespace {

bool is_constant(const Node& node, const Program& program) {
  return node.kind == Node::Kind::literal || (node.kind == Node::Kind::slot && node.index >= program.n_scalars);
}

// The key of a program whose numbers, and what is chosen by them, are left out.
std::string outline_of(const Program& program) {
  Program outline = program;
  const auto clear = [](Dims& numbers) {
    for (int d = 0; d < numbers.rank(); ++d) numbers[d] = 0;
  };
  clear(outline.outer);
  clear(outline.inner);
  outline.columns = 0;
  outline.strip = 0;
  outline.split = false;
  outline.n_symbols = 0;
  for (Pointer& pointer : outline.pointers) {
    clear(pointer.outer);
    clear(pointer.inner);
    clear(pointer.vector);
  }
  for (Node& node : outline.nodes) {
    if (!is_constant(node, program)) continue;
    node.kind = Node::Kind::literal;
    node.index = 0;
    node.real = 0;
  }
  return program_key(outline);
}

class Binder {
 public:
  explicit Binder(int n_symbols) : values_(static_cast<std::size_t>(n_symbols)), bound_(values_.size(), false) {}

  bool bind(int k, ScalarValue value) {
    const auto at = static_cast<std::size_t>(k);
    if (bound_[at]) return values_[at].integer == value.integer;
    values_[at] = value;
    bound_[at] = true;
    return true;
  }
  bool number(std::int64_t wanted, std::int64_t given) {
    if (!is_symbol(wanted)) return wanted == given;
    ScalarValue value;
    value.integer = given;
    return given != 0 && bind(symbol_index(wanted), value);  // what moves in one stands still in none
  }
  bool numbers(const Dims& wanted, const Dims& given) {
    if (wanted.rank() != given.rank()) return false;
    for (int d = 0; d < wanted.rank(); ++d)
      if (!number(wanted[d], given[d])) return false;
    return true;
  }
  bool literal(const Node& wanted, const Node& given, int n_scalars) {
    if (wanted.kind == Node::Kind::literal)
      return std::bit_cast<std::uint64_t>(wanted.real) == std::bit_cast<std::uint64_t>(given.real);
    ScalarValue value;
    if (given.scalar_class == DType::i64)
      value.integer = static_cast<std::int64_t>(given.real);
    else
      value.real = given.real;
    return bind(wanted.index - n_scalars, value);
  }
  std::vector<ScalarValue> take() { return std::move(values_); }

 private:
  std::vector<ScalarValue> values_;
  std::vector<bool> bound_;
};

}  // namespace

std::optional<std::vector<ScalarValue>> bind_symbols(const Program& code, const Program& program) {
  if (program.n_symbols != 0 || code.pointers.size() != program.pointers.size() || code.nodes.size() != program.nodes.size())
    return std::nullopt;
  Binder binder(code.n_symbols);
  bool same = binder.numbers(code.outer, program.outer) && binder.numbers(code.inner, program.inner) &&
              binder.number(code.columns, program.columns);
  for (std::size_t p = 0; same && p < code.pointers.size(); ++p) {
    const Pointer &wanted = code.pointers[p], &given = program.pointers[p];
    same = binder.numbers(wanted.outer, given.outer) && binder.numbers(wanted.inner, given.inner) &&
           binder.numbers(wanted.vector, given.vector);
  }
  for (std::size_t k = 0; same && k < code.nodes.size(); ++k)
    if (is_constant(code.nodes[k], code)) same = binder.literal(code.nodes[k], program.nodes[k], code.n_scalars);
  if (!same) return std::nullopt;
  return binder.take();
}

void GenericPrograms::add(const Program& code) {
  if (code.n_symbols == 0) return;
  std::string outline = outline_of(code);
  const std::lock_guard lock(mutex_);
  const auto [begin, end] = by_outline_.equal_range(outline);
  if (std::any_of(begin, end, [&](const auto& entry) { return *entry.second->code == code; })) return;
  entries_.push_front({std::move(outline), std::make_shared<const Program>(code)});
  by_outline_.emplace(entries_.front().outline, entries_.begin());
  if (entries_.size() <= kMost) return;
  const auto last = std::prev(entries_.end());
  const auto [first, past] = by_outline_.equal_range(last->outline);
  by_outline_.erase(std::find_if(first, past, [&](const auto& entry) { return entry.second == last; }));
  entries_.pop_back();
}

bool GenericPrograms::find(BoundProgram& bound) {
  const std::string outline = outline_of(bound.program);
  std::shared_ptr<const Program> code;
  std::optional<std::vector<ScalarValue>> values;
  {
    const std::lock_guard lock(mutex_);
    const auto [begin, end] = by_outline_.equal_range(outline);
    for (auto entry = begin; entry != end && !values; ++entry) {
      code = entry->second->code;
      values = bind_symbols(*code, bound.program);
      if (values) entries_.splice(entries_.begin(), entries_, entry->second);
    }
  }
  if (!values) return false;
  bound.program.strip = code->strip;
  bound.program.split = code->split;
  bound.code = *code;
  bound.binding.constants = std::move(*values);
  return true;
}

void GenericPrograms::clear() {
  const std::lock_guard lock(mutex_);
  by_outline_.clear();
  entries_.clear();
}

}  // namespace swage::jit
