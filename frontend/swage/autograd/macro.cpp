#include <swage/autograd/macro.hpp>

#include <algorithm>
#include <unordered_set>

#include <runtime/engine/interpreter.hpp>
#include <runtime/engine/known_trace.hpp>
#include <swage/detail/call.hpp>

namespace swage::autograd {

namespace {

constexpr std::size_t kMostMacros = 32;  // of one trace
constexpr RecordIndex kNoNode = ~RecordIndex{0};

// What the nodes of the running window are, in order.
struct Log {
  Tag window = 0;  // its first tag
  bool usable = true;
  std::vector<std::uint64_t> words;
};
constinit thread_local Log* own_log [[gnu::tls_model("initial-exec")]] = nullptr;
constinit thread_local std::uint64_t replayed = 0;

[[gnu::noinline]] Log& make_log() {
  static thread_local std::unique_ptr<Log> made;
  made = std::make_unique<Log>();
  own_log = made.get();
  return *made;
}

// The log of the running window.
Log& current_log() {
  Log& log = own_log ? *own_log : make_log();
  if (log.window != recorder->first_tag) [[unlikely]] {
    log.window = recorder->first_tag;
    log.usable = true;
    log.words.clear();
  }
  return log;
}

// Words of the log begin with a record's index and say in the upper bits what they are.
constexpr std::uint64_t kCustom = std::uint64_t{1} << 62, kBackward = std::uint64_t{1} << 63;
constexpr int kSaves = 20, kCount = 28, kFirstEdge = 36, kEdgeBits = 22;

// None, or the distance to the leaf or node, which stands in the same window; false where it does not.
bool edge_word(const Node& node, const Edge& edge, std::uint64_t& word) {
  word = 0;
  if (!edge.wanted()) return true;
  const bool to_node = edge.node() != nullptr;
  const Tag target = to_node ? edge.node()->tag : edge.leaf()->tag;
  word = (node.tag - target) << 2 | (to_node ? 2 : 1);
  return target - recorder->first_tag < recorder->values.size();
}

void free_tape(Node* root) {
  std::vector<NodeRef> stack;
  stack.push_back(NodeRef::share(root));
  while (!stack.empty()) {
    const NodeRef node = std::move(stack.back());
    stack.pop_back();
    if (node->freed) continue;
    for (const Edge& edge : node->edges())
      if (Node* const before = edge.node(); before && !before->freed) stack.push_back(NodeRef::share(before));
    node->free_saved();
  }
}

std::size_t count_reachable(Node* root) {
  std::unordered_set<Node*> seen{root};
  std::vector<Node*> stack{root};
  while (!stack.empty()) {
    Node* const node = stack.back();
    stack.pop_back();
    for (const Edge& edge : node->edges())
      if (edge.node() && seen.insert(edge.node()).second) stack.push_back(edge.node());
  }
  return seen.size();
}

bool same_bits(ScalarValue a, ScalarValue b) { return a.integer == b.integer; }

bool has_slot(const KeyHalf& key) {
  return std::ranges::any_of(key.operands, [](const OperandKey& operand) { return operand.ref == kScalarSlot; });
}

}  // namespace

std::uint64_t macros_replayed() { return replayed; }

void forget_log() { current_log().usable = false; }

void note(const Node& node) {
  Log& log = current_log();
  const std::uint64_t index = node.tag - recorder->first_tag;
  if (index >= recorder->values.size()) return;  // the window is not tracked
  auto& words = log.words;
  if (node.custom) [[unlikely]] {
    log.usable = log.usable && node.custom->repeats();
    words.push_back(index | kCustom | node.custom->edges.size() << kCount);
    for (const Edge& edge : node.custom->edges) {
      words.emplace_back();
      if (!edge_word(node, edge, words.back())) log.usable = false;
    }
    return;
  }
  std::uint64_t edges[3] = {};
  for (std::size_t k = 0; k < node.n_operands; ++k)
    if (!edge_word(node, node.edge_of_operand[k], edges[k])) [[unlikely]]
      log.usable = false;
  words.push_back(index | std::uint64_t{node.saves} << kSaves | std::uint64_t{node.n_operands} << kCount |
                  edges[0] << kFirstEdge);
  if (node.n_operands > 1) words.push_back(edges[1] | edges[2] << kEdgeBits);
}

Macro::Macro(const Value& root, const Value* seed, bool retain_graph) : retain_(retain_graph) {
  const Recorder& at = *recorder;
  if (!at.follows() || !at.inside(root) || (seed && !at.inside(*seed)) || !current_log().usable) return;
  root_ = node_of(&root);
  if (!root_ || root_->tag != root.tag || !(root.flags & Value::kRequiresGrad)) return;
  path_ = at.path;
  begin_ = static_cast<RecordIndex>(at.values.size());
  root_word_ = kBackward | (root.tag - at.first_tag) | std::uint64_t{retain_} << kSaves;
  seed_word_ = seed ? at.next_tag - seed->tag : 0;
}

Macro::~Macro() {
  if (path_ && !done_) forget_log();  // an error left the pass half done
}

const MacroRecord* Macro::find() const {
  const auto& words = own_log->words;
  for (const auto& macro : path_->macros) {
    const auto& key = macro->key;
    if (macro->begin == begin_ && key.size() == words.size() + 2 && key[words.size()] == root_word_ &&
        key.back() == seed_word_ && std::equal(words.begin(), words.end(), key.begin()))
      return macro.get();
  }
  return nullptr;
}

void Macro::pass_is_done() {
  done_ = true;
  own_log->words.push_back(root_word_);
  own_log->words.push_back(seed_word_);
}

bool Macro::replay(CallSite site) {
  if (!path_) return false;
  Recorder& at = *recorder;
  const MacroRecord* const macro = find();
  const auto leaf_of = [&](const MacroRecord::Gradient& gradient) { return at.values[gradient.leaf].result; };
  const auto ready = [&](const MacroRecord::Gradient& gradient) {
    const Value* leaf = leaf_of(gradient);
    return leaf && leaf->tag == at.first_tag + gradient.leaf && !(leaf->autograd && meta_of(leaf)->grad);
  };
  if (!macro || !path_->expects_up_to(macro->end) || !std::ranges::all_of(macro->gradients, ready)) {
    reachable_ = count_reachable(root_);
    return false;
  }

  // What can fail comes first.
  std::vector<ValueRef> made;
  made.reserve(macro->made.size());
  for (const MacroRecord::Made& what : macro->made) {
    Value* const value = new_value();
    made.push_back(ValueRef::adopt(value));
    value->desc = what.desc;
    value->version = what.version;
    value->tag = at.first_tag + what.record;
    value->stream = at.stream;
    if (what.base >= 0) {
      set_base(value, made[static_cast<std::size_t>(what.base)].get());
    } else {
      value->flags = Value::kPending;
      value->storage_tag = at.first_tag + what.storage;
      value->write_tag = at.first_tag + what.written;
    }
  }
  for (const auto& gradient : macro->gradients) ensure_meta(*leaf_of(gradient));

  ValueHalf* const halves = at.values.begin();
  for (RecordIndex i = macro->begin; i < macro->end; ++i) {
    halves[i].result = nullptr;
    halves[i].site = site;
  }
  for (const auto& [to, from] : macro->scalars) halves[to].scalar = halves[from].scalar;
  const Trace& trace = path_->trace;
  const std::span<const ValueHalf> values(halves, macro->end);
  for (const MacroRecord::Start& start : macro->starts) {
    std::int64_t distance = start.fixed;
    if (start.moves_with != MacroRecord::Start::kFixed) {
      const std::int64_t its =
          halves[start.moves_with].offset - result_offset(trace, trace.operand(start.moves_with, 0), values);
      distance = its / start.its_stride * start.stride;
    }
    halves[start.to].offset = result_offset(trace, trace.operand(start.to, 0), values) + distance;
  }
  for (std::size_t k = 0; k < made.size(); ++k) {
    const MacroRecord::Made& what = macro->made[k];
    halves[what.record].result = made[k].get();
    if (what.base >= 0) made[k]->offset = result_offset(trace, what.record, values);
  }
  at.take(macro->end - macro->begin);
  for (const auto& gradient : macro->gradients) meta_of(leaf_of(gradient))->grad = made[gradient.made];
  if (!retain_) free_tape(root_);
  pass_is_done();
  ++replayed;
  return true;
}

void Macro::visits(const Node& node) {
  if (!path_) return;
  visits_.push_back(
      {static_cast<RecordIndex>(recorder->values.size()), static_cast<RecordIndex>(node.tag - recorder->first_tag)});
}

void Macro::finish() {
  if (!path_) return;
  const Recorder& at = *recorder;
  if (!at.follows() || own_log->window != at.first_tag || at.path != path_ || !repeats_ ||
      path_->macros.size() >= kMostMacros || visits_.size() != reachable_) {
    if (own_log->window == at.first_tag) pass_is_done();
    done_ = true;
    return;
  }
  auto macro = std::make_unique<MacroRecord>();
  macro->begin = begin_;
  macro->end = static_cast<RecordIndex>(at.values.size());
  macro->key = own_log->words;
  macro->key.push_back(root_word_);
  macro->key.push_back(seed_word_);
  if (learn(*macro)) path_->macros.push_back(std::move(macro));
  pass_is_done();
}

bool Macro::learn(MacroRecord& macro) const {
  std::size_t visit = 0;
  RecordIndex node = kNoNode;
  for (RecordIndex i = macro.begin; i < macro.end; ++i) {
    for (; visit < visits_.size() && visits_[visit].begin <= i; ++visit) node = visits_[visit].node;
    if (!learn_record(macro, i, node)) return false;
  }
  return learn_values(macro);
}

// What is written of record i besides its site; `node`: the record of the node whose rule emitted it.
bool Macro::learn_record(MacroRecord& macro, RecordIndex i, RecordIndex node) const {
  const Trace& trace = path_->trace;
  const std::span<const ValueHalf> values(recorder->values.begin(), recorder->values.size());
  const KeyHalf& key = trace.keys[i];
  if (kind_of(key.op) == OpKind::structure || kind_of(key.op) == OpKind::random) return false;
  if (key.in_place() && trace.storages[i] < macro.begin) return false;
  // A rule hands on the scalar of its op, and computes none.
  if (has_slot(key)) {
    if (node == kNoNode || !has_slot(trace.keys[node]) || !same_bits(values[i].scalar, values[node].scalar)) return false;
    macro.scalars.push_back({i, node});
  }
  if (kind_of(key.op) != OpKind::view) return true;
  MacroRecord::Start start{.to = i, .fixed = values[i].offset - result_offset(trace, trace.operand(i, 0), values)};
  if (key.op == Op::narrow && node != kNoNode && trace.keys[node].op == Op::narrow) {
    // The gradient of a narrow goes where the narrow was.
    const auto stride_of = [&](RecordIndex record) {
      const KeyHalf& narrow = trace.keys[record];
      return desc_of(narrow.operands[0].desc).strides[static_cast<int>(attribute_of(narrow.attr).ints[0])];
    };
    start.moves_with = node;
    start.stride = stride_of(i);
    start.its_stride = stride_of(node);
    const std::int64_t its = values[node].offset - result_offset(trace, trace.operand(node, 0), values);
    if (start.its_stride == 0 || its / start.its_stride * start.stride != start.fixed) return false;
  } else if (key.op != Op::narrow && start.fixed != 0) {
    return false;
  }
  macro.starts.push_back(start);
  return true;
}

// The values that the pass left: gradients of leaves, and what these are views of. Nobody else holds them.
bool Macro::learn_values(MacroRecord& macro) const {
  const Recorder& at = *recorder;
  std::vector<Value*> made;
  for (const bool views : {false, true})
    for (RecordIndex i = macro.begin; i < macro.end; ++i) {
      Value* const value = at.values[i].result;
      if (!value || (value->base != nullptr) != views) continue;
      if (value->tag != at.first_tag + i || value->autograd || value->flags != (views ? 0u : std::uint32_t{Value::kPending}))
        return false;
      MacroRecord::Made what{.record = i, .storage = 0, .written = 0, .version = value->version, .desc = value->desc};
      if (views) {
        const auto owner = std::ranges::find(made, value->base);
        if (owner == made.end() || value->tape_writes != 0) return false;
        what.base = static_cast<std::int32_t>(owner - made.begin());
      } else {
        what.storage = static_cast<RecordIndex>(value->storage_tag - at.first_tag);
        what.written = static_cast<RecordIndex>(value->write_tag - at.first_tag);
      }
      made.push_back(value);
      macro.made.push_back(what);
    }
  std::vector<std::uint32_t> holders(made.size());
  for (const MacroRecord::Made& what : macro.made)
    if (what.base >= 0) ++holders[static_cast<std::size_t>(what.base)];
  for (const ValueRef& leaf : leaves_) {
    const auto gradient = std::ranges::find(made, meta_of(leaf.get())->grad.get());
    if (gradient == made.end() || !at.inside(*leaf)) return false;
    const auto index = static_cast<RecordIndex>(leaf->tag - at.first_tag);
    if (at.values[index].result != leaf.get()) return false;
    const auto place = static_cast<std::uint32_t>(gradient - made.begin());
    ++holders[place];
    macro.gradients.push_back({index, place});
  }
  for (std::size_t k = 0; k < made.size(); ++k)
    if (made[k]->refs != holders[k]) return false;
  return true;
}

}  // namespace swage::autograd
