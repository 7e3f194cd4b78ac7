#include <jit/program.hpp>

#include <algorithm>
#include <bit>
#include <numeric>

#include <fmt/format.h>

#include <runtime/core/planted_fault.hpp>
#include <runtime/ops/reduction_tree.hpp>

namespace swage::jit {
namespace {

constexpr std::int64_t kKeptBytes = 128 << 10;  // stack memory of one group function
constexpr std::int64_t kFewResults = 8;         // rows or strips: fewer leave threads without work
constexpr std::int64_t kSplitElements = 16384;  // smaller groups run on one thread anyway

class Builder {
 public:
  Builder(const Trace& trace, const EscapeMask& escapes, const Grouping& grouping, int g)
      : trace_(trace),
        escapes_(escapes),
        grouping_(grouping),
        g_(g),
        space_(grouping.groups[static_cast<std::size_t>(g)].space),
        origins_(offset_origins(trace)) {}

  BoundProgram run() {
    for (RecordIndex i : grouping_.groups[static_cast<std::size_t>(g_)].records) add(i);
    add_stores();
    if (program_.stores.empty()) return std::move(bound_);
    arrange();
    hoist();
    keep_costly_values();
    return std::move(bound_);
  }

 private:
  struct Current {  // the latest value of the elements that an access names
    Access access;
    int node = 0;
    int pointer = -1;
    bool loaded = false, written = false;
  };

  void add(RecordIndex i) {
    const KeyHalf& key = trace_.keys[i];
    const Dims& dims = extents_of(trace_, i);
    const Level level = *level_in(space_, dims.product());
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
        arg = read(*access_of(trace_, origins_, trace_.operand(i, k), dims, space_, level));
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
    const Dims& result_dims = desc_of(trace_.results[i]).dims;
    Current& target = current(*access_of(trace_, origins_, i, result_dims, space_, node.level));
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
    } else {
      node.kind = Node::Kind::slot;
      node.index = program_.n_scalars++;
      bound_.binding.scalars.push_back(i);
    }
    return append(node);
  }

  int read(const Access& access) {
    Current& value = current(access);
    if (value.node < 0) {
      Node node;
      node.kind = Node::Kind::load;
      node.dtype = access.dtype;
      node.level = constant_in_row(access) ? Level::row : Level::inner;
      node.index = pointer(value);
      value.loaded = true;
      value.node = append(node);
    }
    return value.node;
  }

  bool constant_in_row(const Access& access) const {
    if (space_.reduced == 0) return false;  // decided when the loops are arranged
    for (int d = 0; d < space_.dims.rank(); ++d)
      if (space_.is_reduced(d) && access.strides[d] != 0) return false;
    return true;
  }

  Current& current(const Access& access) {
    for (Current& value : current_)
      if (value.access == access) return value;
    return current_.emplace_back(Current{access, -1});
  }

  int pointer(Current& value) {
    if (value.pointer < 0) {
      value.pointer = static_cast<int>(program_.pointers.size());
      program_.pointers.push_back({value.access.dtype, {}, {}, {}, false});
      bound_.binding.pointers.push_back({value.access.storage, value.access.origin, value.access.dtype, value.access.strides});
      strides_.push_back(value.access.strides);
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
      if (!value.written || !grouping_.stored(trace_, escapes_, value.access.storage, g_)) continue;
      if (planted(PlantedFault::escape) && value.access.storage == last_escape()) continue;
      const int target = pointer(value);
      program_.pointers[static_cast<std::size_t>(target)].written = true;
      const Node& node = program_.nodes[static_cast<std::size_t>(value.node)];
      const bool waits = node.level == Level::row && depends_on_reduction_[static_cast<std::size_t>(value.node)] &&
                         !constant_in_row(value.access);
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
    std::vector<std::vector<int>> runs;
    for (int d : dims) {
      if (space_.dims[d] == 1) continue;
      const bool even = !runs.empty() && std::all_of(strides_.begin(), strides_.end(), [&](const Dims& strides) {
        return strides[runs.back().back()] == strides[d] * space_.dims[d];
      });
      if (even)
        runs.back().push_back(d);
      else
        runs.push_back({d});
    }
    return runs;
  }

  std::int64_t extent(const std::vector<int>& run) const {
    std::int64_t product = 1;
    for (int d : run) product *= space_.dims[d];
    return product;
  }

  // Fills extents and strides from runs of dimensions.
  void assign(const std::vector<std::vector<int>>& runs, Dims& extents, Dims Pointer::* member) {
    for (const auto& run : runs) {
      extents.push_back(extent(run));
      for (std::size_t p = 0; p < strides_.size(); ++p) (program_.pointers[p].*member).push_back(strides_[p][run.back()]);
    }
  }

  // Chooses which dimensions are walked by rows, by the inner loop and by vectors.
  void arrange() {
    std::vector<int> kept, reduced;
    for (int d = 0; d < space_.dims.rank(); ++d) (space_.is_reduced(d) ? reduced : kept).push_back(d);
    if (space_.reduced == 0) {
      sort_by_store(kept);
      bound_.order = kept;
      auto runs = collapse(kept);
      const bool flat = runs.size() <= 1 && (runs.empty() || std::all_of(strides_.begin(), strides_.end(), [&](const Dims& s) {
                                               return s[runs[0].back()] <= 1;
                                             }));
      program_.form = flat ? Form::flat : Form::rows;
      std::vector<std::vector<int>> last;
      if (!runs.empty()) {
        last.push_back(runs.back());
        runs.pop_back();
      }
      assign(runs, program_.outer, &Pointer::outer);
      assign(last, program_.inner, &Pointer::inner);
      if (program_.inner.empty()) {
        program_.inner.push_back(1);
        for (Pointer& pointer : program_.pointers) pointer.inner.push_back(0);
      }
    } else {
      bound_.order = kept;
      auto kept_runs = collapse(kept), reduced_runs = collapse(reduced);
      const int last_reduced = reduced_runs.back().back();
      const int last_kept = kept_runs.empty() ? -1 : kept_runs.back().back();
      program_.form = last_kept > last_reduced ? Form::columns : Form::rows;
      assign(reduced_runs, program_.inner, &Pointer::inner);
      if (program_.form == Form::columns) {
        Dims columns;
        assign({kept_runs.back()}, columns, &Pointer::vector);
        program_.columns = columns[0];
        // Longer strips read memory better; at least eight of them leave work for threads.
        if (program_.passes == 1) program_.strip = std::clamp<std::int64_t>(columns[0] / (8 * kLanes), 1, 8);
        kept_runs.pop_back();
      }
      assign(kept_runs, program_.outer, &Pointer::outer);
    }
    program_.split = space_.reduced != 0 && program_.passes == 1 && program_.blocks() > 1 && program_.results() < kFewResults &&
                     space_.numel() >= kSplitElements;
    for (const Store& store : program_.stores) check_store(program_.pointers[static_cast<std::size_t>(store.pointer)]);
    if (!program_.straddles()) return;
    const int last = program_.inner.rank() - 1;
    if (program_.inner[last] < kLanes) throw CompileError("a vector of reduced elements is more than two stretches of memory");
  }

  // Pointwise loops may run in any order: the one that walks the first result by ascending addresses.
  void sort_by_store(std::vector<int>& dims) const {
    const Dims& first = strides_[static_cast<std::size_t>(program_.stores[0].pointer)];
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

  // Values that cost more than a load and are needed in several passes are computed once, into scratch memory on the stack.
  void keep_costly_values() {
    const std::int64_t n = program_.inner.product();
    if (program_.passes == 1 || (program_.form == Form::rows && n <= kLanes)) return;
    const std::int64_t elements = program_.form == Form::columns ? n * kLanes : n + kLanes;
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
  Space space_;
  std::vector<RecordIndex> origins_;
  std::vector<Current> current_;
  std::vector<Dims> strides_;  // by pointer, over the space
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

BoundProgram build_program(const Trace& trace, const EscapeMask& escapes, const Grouping& grouping, int g) {
  return Builder(trace, escapes, grouping, g).run();
}

std::string to_string(const Program& program) {
  constexpr std::string_view forms[] = {"flat", "rows", "columns"};
  std::string text = fmt::format("{} {} × {}", forms[static_cast<int>(program.form)], swage::to_string(program.outer),
                                 swage::to_string(program.inner));
  if (program.form == Form::columns) text += fmt::format(" × {} columns", program.columns);
  if (program.split) text += fmt::format(" in {} blocks", program.blocks());
  return text + fmt::format(", {} passes, {} pointers, {} nodes, {} stores", program.passes, program.pointers.size(),
                            program.nodes.size(), program.stores.size());
}

}  // namespace swage::jit
