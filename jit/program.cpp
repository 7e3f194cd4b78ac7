#include <jit/program.hpp>

#include <algorithm>
#include <bit>
#include <numeric>
#include <unistd.h>

#include <fmt/format.h>

#include <jit/symbols.hpp>
#include <runtime/core/planted_fault.hpp>
#include <runtime/ops/reduction_tree.hpp>

namespace swage::jit {
namespace {

constexpr std::int64_t kKeptBytes = 128 << 10;  // stack memory of one group function
constexpr std::int64_t kFewResults = 8;         // rows or strips: fewer leave threads without work
constexpr std::int64_t kSplitElements = 16384;  // smaller groups run on one thread anyway

// Builds one program from several traces at once: what is legal must be so in all of them.
class Builder {
 public:
  Builder(const GroupedTrace& at_hand, std::span<const GroupedTrace> siblings, const EscapeMask& escapes, int g)
      : trace_(*at_hand.trace), escapes_(escapes), grouping_(*at_hand.grouping), g_(g), origins_(offset_origins(trace_)) {
    const auto add_member = [&](const GroupedTrace& member) {
      members_.push_back({member.trace, member.grouping->groups[static_cast<std::size_t>(g)].space, {}});
    };
    add_member(at_hand);
    for (const GroupedTrace& sibling : siblings) add_member(sibling);
    for (const Member& member : members_)
      if (member.space.reduced != space().reduced || member.space.dims.rank() != space().dims.rank())
        throw CompileError("siblings with other spaces");
  }

  BoundProgram run() {
    for (RecordIndex i : grouping_.groups[static_cast<std::size_t>(g_)].records) add(i);
    add_stores();
    if (program_.stores.empty()) return std::move(bound_);
    arrange();
    hoist();
    pass_the_cache();
    keep_costly_values();
    bound_.code = program_;
    if (members_.size() > 1) {
      std::vector<const Numbers*> numbers;
      numbers.reserve(members_.size());
      for (const Member& member : members_) numbers.push_back(&member.numbers);
      bound_.binding.constants = name_symbols(bound_.code, numbers);
    }
    return std::move(bound_);
  }

 private:
  using Accesses = std::vector<Access>;  // by member

  // One of the traces, and the numbers that it gives the program.
  struct Member {
    const Trace* trace;
    Space space;
    Numbers numbers;
  };

  struct Current {  // the latest value of the elements that an access names
    Accesses accesses;
    int node = 0;
    int pointer = -1;
    bool loaded = false, written = false;
    const Access& access() const { return accesses[0]; }
  };

  const Space& space() const { return members_[0].space; }
  template <class F>
  bool in_all(F&& f) const {
    return std::all_of(members_.begin(), members_.end(), f);
  }
  // Whether a number differs from member to member.
  template <class F>
  bool varies(F&& number) const {
    return std::any_of(members_.begin(), members_.end(), [&](const Member& m) { return number(m) != number(members_[0]); });
  }
  bool row_varies() const {
    return varies([](const Member& m) { return m.numbers.inner; });
  }

  // Extents over which record `i` runs, or those of its result, by member.
  using Extents = const Dims& (*)(const Trace&, RecordIndex);
  Accesses accesses_of(RecordIndex i, RecordIndex value, Extents extents, Level level) const {
    Accesses accesses;
    for (const Member& member : members_) {
      auto access = access_of(*member.trace, origins_, value, extents(*member.trace, i), member.space, level);
      if (!access) throw CompileError("siblings whose shapes do not line up");
      accesses.push_back(*access);
    }
    return accesses;
  }
  static const Dims& result_extents(const Trace& trace, RecordIndex i) { return desc_of(trace.results[i]).dims; }

  Level level_of(RecordIndex i) const {
    const auto level = [&](const Member& member) { return level_in(member.space, extents_of(*member.trace, i).product()); };
    if (!level(members_[0]) || varies(level)) throw CompileError("siblings that run over other spaces");
    return *level(members_[0]);
  }

  void add(RecordIndex i) {
    const KeyHalf& key = trace_.keys[i];
    const Level level = level_of(i);
    const bool reduces = kind_of(key.op) == OpKind::reduction;
    Node node;
    node.kind = reduces ? Node::Kind::reduce : Node::Kind::arithmetic;
    node.op = key.op;
    node.dtype = desc_of(trace_.results[i]).dtype;
    node.level = reduces ? Level::row : level;
    for (int k = 0; k < key.n_operands; ++k) {
      if (key.op == Op::assign && k == 0) continue;
      int arg;
      if (key.operands[k].is_tensor()) {
        arg = read(accesses_of(i, trace_.operand(i, k), extents_of, level));
        const Node& source = program_.nodes[static_cast<std::size_t>(arg)];
        node.pass = std::max(node.pass, source.pass + (source.level == Level::row && level == Level::inner &&
                                                       depends_on_reduction_[static_cast<std::size_t>(arg)]));
      } else {
        arg = scalar(i, k, operand_dtype(i));
      }
      node.args[k] = arg;
    }
    int value;
    if (key.op == Op::assign || key.op == Op::copy || key.op == Op::full)
      value = node.args[key.op == Op::assign ? 1 : 0];
    else
      value = append(node);
    Current& target = current(accesses_of(i, i, result_extents, node.level));
    target.node = value;
    target.written = true;
  }

  // The type that scalar operands of record `i` are converted to.
  DType operand_dtype(RecordIndex i) const {
    const KeyHalf& key = trace_.keys[i];
    if (info(key.op).dtypes == DTypeRule::compare || key.op == Op::cast) {
      for (int k = 0; k < key.n_operands; ++k)
        if (key.operands[k].is_tensor()) return desc_of(trace_.results[trace_.operand(i, k)]).dtype;
      throw CompileError("an op on scalars alone");
    }
    return desc_of(trace_.results[i]).dtype;
  }

  int scalar(RecordIndex i, int k, DType dtype) {
    const OperandKey& operand = trace_.keys[i].operands[k];
    Node node;
    node.dtype = dtype;
    node.level = Level::row;
    node.scalar_class = static_cast<DType>(operand.desc);
    if (operand.ref == kLiteral) {
      node.kind = Node::Kind::literal;
      node.real = attribute_of(trace_.keys[i].attr).real;
      for (Member& member : members_) member.numbers.literals.push_back(attribute_of(member.trace->keys[i].attr).real);
    } else {
      node.kind = Node::Kind::slot;
      node.index = program_.n_scalars++;
      bound_.binding.scalars.push_back(i);
    }
    return append(node);
  }

  int read(const Accesses& accesses) {
    Current& value = current(accesses);
    if (value.node < 0) {
      Node node;
      node.kind = Node::Kind::load;
      node.dtype = accesses[0].dtype;
      node.level = constant_in_row(accesses[0]) ? Level::row : Level::inner;
      node.index = pointer(value);
      value.loaded = true;
      value.node = append(node);
    }
    return value.node;
  }

  bool constant_in_row(const Access& access) const {
    if (space().reduced == 0) return false;  // decided when the loops are arranged
    for (int d = 0; d < space().dims.rank(); ++d)
      if (space().is_reduced(d) && access.strides[d] != 0) return false;
    return true;
  }

  Current& current(const Accesses& accesses) {
    for (Current& value : current_) {
      if (value.accesses == accesses) return value;
      for (std::size_t m = 0; m < members_.size(); ++m)
        if (value.accesses[m] == accesses[m]) throw CompileError("siblings in which other elements coincide");
    }
    return current_.emplace_back(Current{accesses, -1});
  }

  int pointer(Current& value) {
    if (value.pointer < 0) {
      value.pointer = static_cast<int>(program_.pointers.size());
      const Access& access = value.access();
      program_.pointers.push_back({access.dtype, {}, {}, {}, false});
      bound_.binding.pointers.push_back({access.storage, access.origin, access.dtype, access.strides});
      for (Member& member : members_) member.numbers.pointers.push_back({access.dtype, {}, {}, {}, false});
      accesses_.push_back(value.accesses);
    }
    return value.pointer;
  }

  int append(const Node& node) {
    bool reduced = node.kind == Node::Kind::reduce;
    for (int arg : node.args)
      if (arg >= 0) reduced = reduced || depends_on_reduction_[static_cast<std::size_t>(arg)];
    depends_on_reduction_.push_back(reduced);
    program_.nodes.push_back(node);
    return static_cast<int>(program_.nodes.size()) - 1;
  }

  RecordIndex last_escape() const {
    auto i = static_cast<RecordIndex>(trace_.size());
    while (i > 0 && !escapes_.test(i - 1)) --i;
    return i - 1;
  }

  void add_stores() {
    for (Current& value : current_) {
      if (!value.written || !grouping_.stored(trace_, escapes_, value.access().storage, g_)) continue;
      if (planted(PlantedFault::escape) && value.access().storage == last_escape()) continue;
      const int target = pointer(value);
      program_.pointers[static_cast<std::size_t>(target)].written = true;
      const Node& node = program_.nodes[static_cast<std::size_t>(value.node)];
      const bool waits = node.level == Level::row && depends_on_reduction_[static_cast<std::size_t>(value.node)] &&
                         !constant_in_row(value.access());
      program_.stores.push_back({target, value.node, node.pass + waits});
      rewritten_.push_back(value.loaded);
    }
    for (const Node& node : program_.nodes) program_.passes = std::max(program_.passes, node.pass + 1);
    for (const Store& store : program_.stores) program_.passes = std::max(program_.passes, store.pass + 1);
    // Later passes load again what earlier ones loaded: what is read and rewritten changes in the last pass only.
    for (std::size_t s = 0; s < program_.stores.size(); ++s)
      if (rewritten_[s]) program_.stores[s].pass = program_.passes - 1;
  }

  // Adjacent dimensions of the list that every pointer walks evenly become one; extents of 1 vanish.
  std::vector<std::vector<int>> collapse(const std::vector<int>& dims) const {
    const auto walks_evenly = [&](int a, int b) {  // b inside a
      for (const Accesses& accesses : accesses_)
        for (std::size_t m = 0; m < members_.size(); ++m)
          if (accesses[m].strides[a] != accesses[m].strides[b] * members_[m].space.dims[b]) return false;
      return true;
    };
    std::vector<std::vector<int>> runs;
    for (int d : dims) {
      if (in_all([&](const Member& member) { return member.space.dims[d] == 1; })) continue;
      if (!runs.empty() && walks_evenly(runs.back().back(), d))
        runs.back().push_back(d);
      else
        runs.push_back({d});
    }
    return runs;
  }

  // Fills extents and strides of every member from runs of dimensions.
  void assign(const std::vector<std::vector<int>>& runs, Dims Numbers::* extents, Dims Pointer::* strides) {
    for (const auto& run : runs)
      for (std::size_t m = 0; m < members_.size(); ++m) {
        std::int64_t extent = 1;
        for (int d : run) extent *= members_[m].space.dims[d];
        (members_[m].numbers.*extents).push_back(extent);
        for (std::size_t p = 0; p < accesses_.size(); ++p)
          (members_[m].numbers.pointers[p].*strides).push_back(accesses_[p][m].strides[run.back()]);
      }
  }

  // Chooses which dimensions are walked by rows, by the inner loop and by vectors.
  void arrange() {
    std::vector<int> kept, reduced;
    for (int d = 0; d < space().dims.rank(); ++d) (space().is_reduced(d) ? reduced : kept).push_back(d);
    if (space().reduced == 0) {
      sort_by_store(kept);
      bound_.order = kept;
      auto runs = collapse(kept);
      const auto dense = [&](const Accesses& accesses) {
        return std::all_of(accesses.begin(), accesses.end(), [&](const Access& a) { return a.strides[runs[0].back()] <= 1; });
      };
      const bool flat = runs.size() <= 1 && (runs.empty() || std::all_of(accesses_.begin(), accesses_.end(), dense));
      program_.form = flat ? Form::flat : Form::rows;
      std::vector<std::vector<int>> last;
      if (!runs.empty()) {
        last.push_back(runs.back());
        runs.pop_back();
      }
      assign(runs, &Numbers::outer, &Pointer::outer);
      assign(last, &Numbers::inner, &Pointer::inner);
      if (last.empty()) {
        for (Member& member : members_) {
          member.numbers.inner.push_back(1);
          for (Pointer& pointer : member.numbers.pointers) pointer.inner.push_back(0);
        }
      }
    } else {
      bound_.order = kept;
      auto kept_runs = collapse(kept), reduced_runs = collapse(reduced);
      const int last_reduced = reduced_runs.back().back();
      const int last_kept = kept_runs.empty() ? -1 : kept_runs.back().back();
      program_.form = last_kept > last_reduced ? Form::columns : Form::rows;
      assign(reduced_runs, &Numbers::inner, &Pointer::inner);
      if (program_.form == Form::columns) {
        assign({kept_runs.back()}, &Numbers::outer, &Pointer::vector);
        for (Member& member : members_) {
          member.numbers.columns = member.numbers.outer[0];
          member.numbers.outer = {};
        }
        kept_runs.pop_back();
      }
      assign(kept_runs, &Numbers::outer, &Pointer::outer);
    }
    take_numbers();
    choose_shape();
    for (const Member& member : members_) {
      for (const Store& store : program_.stores) check_store(member.numbers.pointers[static_cast<std::size_t>(store.pointer)]);
      const Dims& inner = member.numbers.inner;
      if (program_.form == Form::rows && inner.rank() > 1 && inner[inner.rank() - 1] < kLanes)
        throw CompileError("a vector of reduced elements is more than two stretches of memory");
    }
  }

  void take_numbers() {
    const Numbers& numbers = members_[0].numbers;
    program_.outer = numbers.outer;
    program_.inner = numbers.inner;
    program_.columns = numbers.columns;
    for (std::size_t p = 0; p < program_.pointers.size(); ++p) {
      const bool written = program_.pointers[p].written;
      program_.pointers[p] = numbers.pointers[p];
      program_.pointers[p].written = written;
    }
  }

  void choose_shape() {
    const bool columns_vary = varies([](const Member& m) { return m.numbers.columns; });
    // Longer strips read memory better; at least eight of them leave work for threads.
    if (program_.form == Form::columns && program_.passes == 1 && !columns_vary)
      program_.strip = std::clamp<std::int64_t>(program_.columns / (8 * kLanes), 1, 8);
    if (space().reduced == 0 || program_.passes != 1) return;
    // Where rows have no fixed length, any may turn out a long one.
    const bool results_vary = columns_vary || varies([](const Member& m) { return m.numbers.outer; });
    if (results_vary || program_.results() >= kFewResults) return;
    program_.split = row_varies() || (program_.blocks() > 1 && space().numel() >= kSplitElements);
  }

  // Pointwise loops may run in any order: the one that walks the first result by ascending addresses.
  void sort_by_store(std::vector<int>& dims) const {
    const std::size_t decides = members_.size() > 1 ? 1 : 0;  // the same member, whichever trace is at hand
    const Dims& first = accesses_[static_cast<std::size_t>(program_.stores[0].pointer)][decides].strides;
    std::stable_sort(dims.begin(), dims.end(), [&](int a, int b) { return first[a] > first[b]; });
  }

  void check_store(const Pointer& pointer) const {
    const Dims& along = program_.form == Form::columns ? pointer.vector : pointer.inner;
    const std::int64_t last = along.rank() == 0 ? 0 : along[along.rank() - 1];
    if (last > 1) throw CompileError("a result is not written in stretches of memory");
  }

  // What does not change along a row is computed once a row.
  void hoist() {
    for (Node& node : program_.nodes) {
      if (node.kind == Node::Kind::load) {
        const Dims& inner = program_.pointers[static_cast<std::size_t>(node.index)].inner;
        const bool moves = std::any_of(inner.begin(), inner.end(), [](std::int64_t stride) { return stride != 0; });
        node.level = moves ? Level::inner : Level::row;
      } else if (node.kind == Node::Kind::arithmetic) {
        node.level = Level::row;
        for (int arg : node.args)
          if (arg >= 0 && program_.nodes[static_cast<std::size_t>(arg)].level == Level::inner) node.level = Level::inner;
      }
    }
  }

  // A result that has left the cache before the group ends is not brought in first: its lines are not read to be overwritten.
  void pass_the_cache() {
    const Member& decides = members_.size() > 1 ? members_[1] : members_[0];
    std::int64_t bytes = 0;
    for (const Pointer& pointer : decides.numbers.pointers) bytes += bytes_of(pointer, decides.numbers);
    if (bytes <= last_cache_bytes()) return;
    for (std::size_t s = 0; s < program_.stores.size(); ++s) {
      Store& store = program_.stores[s];
      const Pointer& pointer = decides.numbers.pointers[static_cast<std::size_t>(store.pointer)];
      store.past_cache = !rewritten_[s] && pointer.dtype != DType::boolean && bytes_of(pointer, decides.numbers) >= bytes / 16;
    }
  }

  // How much memory the pointer walks over.
  static std::int64_t bytes_of(const Pointer& pointer, const Numbers& numbers) {
    std::int64_t elements = 1;
    const auto walk = [&](const Dims& extents, const Dims& strides) {
      for (int d = 0; d < extents.rank(); ++d)
        if (strides[d] != 0) elements *= extents[d];
    };
    walk(numbers.outer, pointer.outer);
    walk(numbers.inner, pointer.inner);
    if (pointer.vector.rank() > 0 && pointer.vector[0] != 0) elements *= numbers.columns;
    return elements * static_cast<std::int64_t>(size_of(pointer.dtype));
  }

  // A virtual machine may report the caches of its whole host: nothing above 64 MiB is believed.
  static std::int64_t last_cache_bytes() {
    static const std::int64_t bytes =
        std::clamp(std::max(sysconf(_SC_LEVEL2_CACHE_SIZE), sysconf(_SC_LEVEL3_CACHE_SIZE)), 8L << 20, 64L << 20);
    return bytes;
  }

  // Values that cost more than a load and are needed in several passes are computed once, into scratch memory on the stack.
  void keep_costly_values() {
    if (program_.passes == 1) return;
    if (program_.form == Form::rows && !row_varies() && program_.inner.product() <= kLanes) return;
    std::int64_t elements = 0;  // of the longest row
    for (const Member& member : members_) {
      const std::int64_t n = member.numbers.inner.product();
      elements = std::max(elements, program_.form == Form::columns ? n * kLanes : n + kLanes);
    }
    std::int64_t budget = kKeptBytes;
    std::vector<int> first(program_.nodes.size(), -1);  // by node: the pass that needs it first
    for (int pass = 0; pass < program_.passes; ++pass) {
      std::vector<bool> needed(program_.nodes.size(), false);
      for (const Store& store : program_.stores)
        if (store.pass == pass) needed[static_cast<std::size_t>(store.node)] = true;
      for (const Node& node : program_.nodes)
        if (node.kind == Node::Kind::reduce && node.pass == pass) needed[static_cast<std::size_t>(node.args[0])] = true;
      for (std::size_t k = program_.nodes.size(); k-- > 0;) {
        Node& node = program_.nodes[k];
        if (!needed[k] || node.level != Level::inner) continue;
        const std::int64_t bytes = elements * static_cast<std::int64_t>(size_of(node.dtype));
        if (first[k] >= 0 && node.kept_from < 0 && costly(node) && bytes <= budget) {
          node.kept_from = first[k];
          budget -= bytes;
        }
        if (first[k] < 0) first[k] = pass;
        if (node.kept_from >= 0 && node.kept_from < pass) continue;
        for (int arg : node.args)
          if (arg >= 0 && node.kind == Node::Kind::arithmetic) needed[static_cast<std::size_t>(arg)] = true;
      }
    }
  }

  bool costly(const Node& node) const {
    if (node.dtype == DType::boolean) return false;
    if (node.kind == Node::Kind::load) {
      const Pointer& pointer = program_.pointers[static_cast<std::size_t>(node.index)];
      const Dims& along = program_.form == Form::columns ? pointer.vector : pointer.inner;
      return along[along.rank() - 1] > 1;
    }
    switch (node.op) {
      case Op::exp:
      case Op::log:
      case Op::sqrt:
      case Op::rsqrt:
      case Op::reciprocal:
      case Op::tanh:
      case Op::sigmoid:
      case Op::sin:
      case Op::cos:
      case Op::div: return true;
      default: return false;
    }
  }

  const Trace& trace_;
  const EscapeMask& escapes_;
  const Grouping& grouping_;
  int g_;
  std::vector<RecordIndex> origins_;
  std::vector<Member> members_;  // the trace at hand, then its siblings
  std::vector<Current> current_;
  std::vector<Accesses> accesses_;  // by pointer
  std::vector<bool> depends_on_reduction_;
  std::vector<bool> rewritten_;  // by store
  BoundProgram bound_;
  Program& program_ = bound_.program;
};

}  // namespace

bool operator==(const Node& a, const Node& b) {
  return a.kind == b.kind && a.op == b.op && a.dtype == b.dtype && a.level == b.level && a.scalar_class == b.scalar_class &&
         a.index == b.index && a.pass == b.pass && a.kept_from == b.kept_from &&
         std::bit_cast<std::uint64_t>(a.real) == std::bit_cast<std::uint64_t>(b.real) &&
         std::equal(std::begin(a.args), std::end(a.args), std::begin(b.args));
}

std::int64_t Program::blocks() const { return (inner.product() + kReductionBlock - 1) / kReductionBlock; }

std::int64_t Program::results() const {
  return outer.product() * (form == Form::columns ? (columns + strip * kLanes - 1) / (strip * kLanes) : 1);
}

std::int64_t Program::units() const {
  if (form == Form::flat) return inner.product();
  return split ? results() * blocks() : results();
}

std::int64_t Program::work_per_unit() const {
  if (form == Form::flat) return 1;
  const std::int64_t n = split ? kReductionBlock : inner.product();
  return form == Form::columns ? n * std::min(columns, strip * kLanes) : n;
}

int Program::reductions() const {
  return static_cast<int>(
      std::count_if(nodes.begin(), nodes.end(), [](const Node& node) { return node.kind == Node::Kind::reduce; }));
}

BoundProgram build_program(const GroupedTrace& at_hand, std::span<const GroupedTrace> siblings, const EscapeMask& escapes,
                           int g) {
  return Builder(at_hand, siblings, escapes, g).run();
}

std::string to_string(const Program& program) {
  constexpr std::string_view forms[] = {"flat", "rows", "columns"};
  const auto number = [](std::int64_t n) { return is_symbol(n) ? fmt::format("n{}", symbol_index(n)) : fmt::format("{}", n); };
  const auto numbers = [&](const Dims& dims) {
    std::string text;
    for (std::int64_t n : dims) text += (text.empty() ? "" : "×") + number(n);
    return text.empty() ? std::string("()") : text;
  };
  std::string text =
      fmt::format("{} {} × {}", forms[static_cast<int>(program.form)], numbers(program.outer), numbers(program.inner));
  if (program.form == Form::columns) text += fmt::format(" × {} columns", number(program.columns));
  if (program.split) text += has_symbols(program.inner) ? " in blocks" : fmt::format(" in {} blocks", program.blocks());
  text += fmt::format(", {} passes, {} pointers, {} nodes, {} stores", program.passes, program.pointers.size(),
                      program.nodes.size(), program.stores.size());
  return program.n_symbols == 0 ? text : text + fmt::format(", {} symbols", program.n_symbols);
}

}  // namespace swage::jit
