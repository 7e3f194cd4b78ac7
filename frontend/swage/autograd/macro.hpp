// The backward pass of a window that follows a known path, as one record. What a pass emits is a function of the records before it, of
// the nodes that they left on the tape, of the root, of where the first gradient comes from, and of the leaves having no gradient yet.
// A pass that ran op by op on a known path is remembered beside the trace with all of these; the next time, its records are appended at
// once: no rule is called, and of its results only the gradients of the leaves are made.
//
// The tape is told from others by a log of what each node of the window is: its record, and for each operand whether the edge leads to a
// node, to a leaf or nowhere. Which node or leaf follows from the records, as long as all of them stand in the window; in-place ops
// and passes are in the log as well. Nodes of earlier windows, gradients written by hand, second-order passes, gradients of chosen
// inputs and leaves that have a gradient already go op by op.
#pragma once

#include <cstdint>
#include <memory>

#include <runtime/engine/macro_record.hpp>
#include <runtime/engine/recorder.hpp>
#include <swage/autograd/node.hpp>

namespace swage::autograd {

struct TapeLog {
  Tag window = 0;  // first tag of the window that it tells of
  std::uint64_t* begin = nullptr;
  std::uint64_t* end = nullptr;
  std::uint64_t* limit = nullptr;
  bool usable = true;
};
extern constinit thread_local TapeLog tape_log [[gnu::tls_model("initial-exec")]];

// What a node of a primitive is, in one word of the log.
class TapeWord {
 public:
  TapeWord(Tag record, std::size_t n_operands) : word_(record | n_operands << kTagIndexBits) {}
  // Where operand k's edge leads; it does. `first`: of the window.
  void add(std::size_t k, const Edge& edge, Tag first) {
    if (edge.to_leaf()) {
      word_ |= std::uint64_t{1} << (32 + 2 * k);
    } else {
      word_ |= std::uint64_t{2} << (32 + 2 * k);
      foreign_ |= (edge.node()->tag ^ first) >> kTagIndexBits;
    }
  }
  std::uint64_t get() const { return word_; }
  bool foreign() const { return foreign_ != 0; }  // an edge leads to a node of an earlier window

 private:
  std::uint64_t word_, foreign_ = 0;
};

// A node was attached: the log grows.
void note_slowly(const Node& node) noexcept;
inline void note(const TapeWord& word, Tag first, const Node& node) noexcept {
  TapeLog& log = tape_log;
  if (log.window != first || log.end == log.limit) [[unlikely]]
    return note_slowly(node);
  if (word.foreign()) [[unlikely]]
    log.usable = false;
  *log.end++ = word.get();
}
inline void note(const Node& node) noexcept {
  const Tag first = recorder->first_tag;
  if (node.custom || node.n_operands > 3) [[unlikely]]
    return note_slowly(node);
  TapeWord word(node.tag - first, node.n_operands);
  for (std::size_t k = 0; k < node.n_operands; ++k)
    if (const Edge& edge = node.edge_of_operand[k]; edge.wanted()) word.add(k, edge, first);
  note(word, first, node);
}
// Something happened to the tape that the log cannot tell: no macros until the window ends.
void forget_log();

// One pass from `root`, about to start or, if it has been remembered, done by `replay`.
class Macro {
 public:
  // `seed`: the gradient that the user gave; null for ones.
  Macro(const Value& root, Value* seed, bool retain_graph);
  ~Macro();
  Macro(const Macro&) = delete;
  Macro& operator=(const Macro&) = delete;

  // Appends the pass if it is known here. Raises MemoryError, and then nothing has changed.
  bool replay(CallSite site);

  // Otherwise the pass goes op by op and says what it does.
  void visits(const Node& node);
  void visits_end();                                             // what is emitted from here on is no node's
  void spans(const Value& view, std::span<const Tensor> parts);  // a narrow that is all of them, which adjoin each other
  void deposits(Value& leaf) { leaves_.push_back(ValueRef::share(&leaf)); }  // its first gradient
  void does_not_repeat() { repeats_ = false; }
  // It is over, and holds nothing any more: remembers it where it can be repeated.
  void finish();

 private:
  const MacroRecord* find() const;
  void pass_is_done();
  bool learn(MacroRecord& macro) const;
  bool learn_record(MacroRecord& macro, RecordIndex i, RecordIndex node) const;
  bool learn_spans(MacroRecord& macro) const;
  bool learn_values(MacroRecord& macro) const;
  bool fits(const MacroRecord& macro) const;

  RecordIndex first_made() const;  // the first record that is not the entry of the gradient that the user gave

  Node* root_ = nullptr;
  Value* seed_;
  KnownTrace* path_ = nullptr;  // null: no macro is to be had
  RecordIndex begin_ = 0;
  std::uint64_t root_word_ = 0, seed_word_ = 0;
  bool retain_, repeats_ = true, done_ = false;
  struct Visit {
    RecordIndex begin;  // the first record that the node's rule emitted
    RecordIndex node;   // the node's record
  };
  detail::PoolVector<Visit> visits_;
  detail::PoolVector<detail::PoolVector<RecordIndex>> spans_;  // the view, then its parts
  detail::PoolVector<ValueRef> leaves_;
  RecordIndex visits_end_ = 0;
  std::size_t reachable_ = 0;
};

// Passes appended as one record so far, on this thread.
std::uint64_t macros_replayed();

}  // namespace swage::autograd
