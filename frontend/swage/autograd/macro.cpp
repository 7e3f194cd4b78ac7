#include <swage/autograd/macro.hpp>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <span>
#include <typeinfo>
#include <unordered_set>

#include <runtime/engine/interpreter.hpp>
#include <runtime/engine/known_trace.hpp>
#include <swage/detail/call.hpp>

namespace swage::autograd {

namespace {

constexpr std::size_t kMostMacros = 32;  // of one trace
constexpr RecordIndex kNoNode = ~RecordIndex{0};

constinit thread_local std::uint64_t replayed = 0;

// The log of the running window.
TapeLog& current_log() {
  TapeLog& log = tape_log;
  if (log.window != recorder->first_tag) {
    log.window = recorder->first_tag;
    log.usable = true;
    log.end = log.begin;
  }
  return log;
}

void append(std::uint64_t word) noexcept {
  TapeLog& log = tape_log;
  if (log.end == log.limit) {
    struct Owner {  // frees the words when the thread ends
      ~Owner() {
        std::free(tape_log.begin);
        tape_log = {};
      }
    };
    static thread_local Owner owner;
    const auto n = static_cast<std::size_t>(log.end - log.begin), room = 2 * n + 256;
    auto* const grown = static_cast<std::uint64_t*>(std::realloc(log.begin, room * sizeof(std::uint64_t)));
    if (!grown) {
      log.usable = false;
      return;
    }
    static_cast<void>(&owner);
    log.begin = grown;
    log.end = grown + n;
    log.limit = grown + room;
  }
  *log.end++ = word;
}

std::span<const std::uint64_t> words_so_far() { return {tape_log.begin, tape_log.end}; }

// Words of the log begin with a record's index and say in the upper bits what they are.
constexpr std::uint64_t kOutside = ~std::uint64_t{0};  // of the gradient that the user gave: the pass begins with its entry
constexpr std::uint64_t kCustom = std::uint64_t{1} << 62, kBackward = std::uint64_t{1} << 63, kRetains = std::uint64_t{1} << 40;

void free_tape(Node* root) {
  detail::PoolVector<NodeRef> stack;
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
  std::unordered_set<Node*, std::hash<Node*>, std::equal_to<>, detail::PoolAllocator<Node*>> seen{root};
  detail::PoolVector<Node*> stack{root};
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

constinit thread_local TapeLog tape_log;

void forget_log() { current_log().usable = false; }

void note_slowly(const Node& node) noexcept {
  TapeLog& log = current_log();
  const Tag first = recorder->first_tag;
  if (node.tag - first >= recorder->values.size()) return;  // the window is not tracked
  if (!node.custom) {
    append(0);  // room for one, which the node then takes
    if (!log.usable) return;
    --log.end;
    return note(node);
  }
  log.usable = log.usable && node.custom->repeats();
  append((node.tag - first) | kCustom | node.custom->edges.size() << kTagIndexBits);
  const CustomGradient& custom = *node.custom;
  append(reinterpret_cast<std::uintptr_t>(&typeid(custom)));
  for (const Edge& edge : node.custom->edges) {
    std::uint64_t word = 0;
    if (edge.wanted()) {
      const Tag target = edge.to_leaf() ? Tag{edge.leaf()->tag} : edge.node()->tag;
      if (target - first >= recorder->values.size()) log.usable = false;
      word = (node.tag - target) << 2 | (edge.to_leaf() ? 1 : 2);
    }
    append(word);
  }
}

Macro::Macro(const Value& root, Value* seed, bool retain_graph) : seed_(seed), retain_(retain_graph) {
  const Engaged engaged;
  const Recorder& at = *recorder;
  if (!at.follows() || !at.inside(root) || !current_log().usable) return;
  root_ = node_of(&root);
  if (!root_ || root_->tag != root.tag || !(root.flags & Value::kRequiresGrad)) return;
  path_ = at.path;
  begin_ = static_cast<RecordIndex>(at.values.size());
  root_word_ = kBackward | (root.tag - at.first_tag) | (retain_ ? kRetains : 0);
  seed_word_ = !seed ? 0 : at.inside(*seed) ? at.next_tag - seed->tag : kOutside;
}

Macro::~Macro() {
  if (path_ && !done_) forget_log();  // an error left the pass half done
}

bool Macro::fits(const MacroRecord& macro) const {
  const std::span<const ValueHalf> values(recorder->values.begin(), begin_);
  return std::ranges::all_of(macro.adjoining, [&](const MacroRecord::Adjoining& views) {
    const Trace& trace = path_->trace;
    return result_offset(trace, views.other, values) - result_offset(trace, views.first, values) == views.distance;
  });
}

const MacroRecord* Macro::find() const {
  const auto words = words_so_far();
  for (const auto& macro : path_->macros) {
    const auto& key = macro->key;
    if (macro->parts && macro->other.expired()) continue;
    if (macro->begin == begin_ && fits(*macro) && key.size() == words.size() + 2 && key[words.size()] == root_word_ &&
        key.back() == seed_word_ && std::equal(words.begin(), words.end(), key.begin()))
      return macro.get();
  }
  return nullptr;
}

void Macro::pass_is_done() {
  done_ = true;
  append(root_word_);
  append(seed_word_);
}

bool Macro::replay(CallSite site) {
  if (!path_) return false;
  const Engaged engaged;
  Recorder& at = *recorder;
  const MacroRecord* const macro = at.follows() && at.path == path_ ? find() : nullptr;
  const auto leaf_of = [&](const MacroRecord::Gradient& gradient) { return at.values[gradient.leaf].result; };
  const auto ready = [&](const MacroRecord::Gradient& gradient) {
    const Value* leaf = leaf_of(gradient);
    return leaf && leaf->tag == at.first_tag + gradient.leaf && !(leaf->autograd && meta_of(leaf)->grad);
  };
  const std::shared_ptr<KnownTrace> other = macro && macro->parts ? macro->other.lock() : nullptr;
  KnownTrace& path = other ? *other : *path_;
  if (!macro || (!other && !path.expects_up_to(macro->end)) || !std::ranges::all_of(macro->gradients, ready)) {
    reachable_ = count_reachable(root_);
    return false;
  }

  // What can fail comes first.
  detail::PoolVector<ValueRef> made;
  made.reserve(macro->made.size());
  for (const MacroRecord::Made& what : macro->made) {
    Value* const value = new_value();
    made.push_back(ValueRef::adopt(value));
    value->desc = what.desc;
    value->version = what.version;
    value->tag = at.first_tag + what.record;
    if (what.base >= 0) {
      set_base(value, made[static_cast<std::size_t>(what.base)].get());
    } else {
      value->flags = Value::kPending;
      value->storage_tag = at.first_tag + what.storage;
      value->write_tag = at.first_tag + what.written;
    }
  }
  for (const auto& gradient : macro->gradients) ensure_meta(*leaf_of(gradient));
  Stream& stream = *at.stream;
  const bool stands = !other || stream.take_path(path, macro->end);
  if (!stands || (seed_word_ == kOutside && !at.enter(*seed_, site))) {
    if (stands && other) stream.take_path(*path_, begin_);
    reachable_ = count_reachable(root_);
    return false;
  }

  ValueHalf* const halves = at.values.begin();
  const auto begin = static_cast<RecordIndex>(at.values.size());
  for (RecordIndex i = begin; i < macro->end; ++i) {
    halves[i].result = nullptr;
    halves[i].site = site;
  }
  for (const auto& [to, from] : macro->scalars) halves[to].scalar = halves[from].scalar;
  const Trace& trace = path.trace;
  const std::span<const ValueHalf> values(halves, macro->end);
  for (const MacroRecord::Start& start : macro->starts) {
    std::int64_t distance = start.fixed;
    if (start.moves_with != MacroRecord::Start::kFixed) {
      const std::int64_t its =
          halves[start.moves_with].offset - result_offset(trace, trace.operand(start.moves_with, 0), values);
      distance = its / start.its_stride * start.stride;
    }
    halves[start.to].offset = start.as != MacroRecord::Start::kFixed
                                  ? result_offset(trace, start.as, values)
                                  : result_offset(trace, trace.operand(start.to, 0), values) + distance;
  }
  for (std::size_t k = 0; k < made.size(); ++k) {
    const MacroRecord::Made& what = macro->made[k];
    halves[what.record].result = made[k].get();
    if (what.base >= 0) made[k]->offset = result_offset(trace, what.record, values);
  }
  at.take(macro->end - begin);
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

void Macro::visits_end() {
  if (path_) visits_end_ = static_cast<RecordIndex>(recorder->values.size());
}

void Macro::spans(const Value& view, std::span<const Tensor> parts) {
  if (!path_) return;
  detail::PoolVector<RecordIndex>& records = spans_.emplace_back();
  const auto add = [&](const Value& value) {
    const Tag record = value.tag - recorder->first_tag;
    repeats_ = repeats_ && record < recorder->values.size();
    records.push_back(static_cast<RecordIndex>(record));
  };
  add(view);
  for (const Tensor& part : parts) {
    add(*part.value());
    repeats_ = repeats_ && records.back() < begin_;
  }
}

void Macro::finish() {
  if (!path_) return;
  const Engaged engaged;
  const Recorder& at = *recorder;
  if (!at.follows() || tape_log.window != at.first_tag || !repeats_ || path_->macros.size() >= kMostMacros ||
      visits_.size() != reachable_ || find()) {
    if (tape_log.window == at.first_tag) pass_is_done();
    done_ = true;
    return;
  }
  try {
    auto macro = std::make_unique<MacroRecord>();
    macro->begin = begin_;
    macro->end = static_cast<RecordIndex>(at.values.size());
    macro->key.assign(tape_log.begin, tape_log.end);
    macro->key.push_back(root_word_);
    macro->key.push_back(seed_word_);
    macro->parts = at.path != path_;
    if (macro->parts) macro->other = at.path->weak_from_this();
    if (learn(*macro)) {
      std::erase_if(path_->macros, [](const auto& kept) { return kept->parts && kept->other.expired(); });
      path_->macros.push_back(std::move(macro));
    }
  } catch (const std::bad_alloc&) {
    visits_.clear();  // the pass is done; it is remembered another time
  }
  pass_is_done();
}

RecordIndex Macro::first_made() const { return begin_ + (seed_word_ == kOutside ? 1 : 0); }

bool Macro::learn(MacroRecord& macro) const {
  const RecordIndex begin = first_made();
  if (begin > macro.begin && recorder->values[macro.begin].result != seed_) return false;  // something else entered first
  std::size_t visit = 0;
  RecordIndex node = kNoNode;
  for (RecordIndex i = begin; i < macro.end; ++i) {
    for (; visit < visits_.size() && visits_[visit].begin <= i; ++visit) node = visits_[visit].node;
    if (!learn_record(macro, i, i < visits_end_ ? node : kNoNode)) return false;
  }
  return learn_spans(macro) && learn_values(macro);
}

bool Macro::learn_spans(MacroRecord& macro) const {
  const std::span<const ValueHalf> values(recorder->values.begin(), recorder->values.size());
  const auto start_of = [&](RecordIndex i) { return result_offset(recorder->path->trace, i, values); };
  for (const auto& records : spans_) {
    const auto start = std::ranges::find(macro.starts, records[0], &MacroRecord::Start::to);
    if (start == macro.starts.end() || start_of(records[0]) != start_of(records[1])) return false;
    start->as = records[1];
    for (std::size_t k = 2; k < records.size(); ++k)
      macro.adjoining.push_back({records[1], records[k], start_of(records[k]) - start_of(records[1])});
  }
  return true;
}

// What is written of record i besides its site; `node`: the record of the node whose rule emitted it.
bool Macro::learn_record(MacroRecord& macro, RecordIndex i, RecordIndex node) const {
  const Trace& trace = recorder->path->trace;
  const std::span<const ValueHalf> values(recorder->values.begin(), recorder->values.size());
  const KeyHalf& key = trace.keys[i];
  if (kind_of(key.op) == OpKind::structure || kind_of(key.op) == OpKind::random) return false;
  if (key.in_place() && trace.storages[i] < first_made()) return false;
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
    for (RecordIndex i = first_made(); i < macro.end; ++i) {
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
