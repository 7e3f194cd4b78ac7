// The backward pass of a window that follows a known path, as one record. What a pass emits is a function of the records before it, of
// the nodes that they left on the tape, of the root, of where the first gradient comes from, and of the leaves having no gradient yet.
// A pass that ran op by op on a known path is remembered beside the trace with all of these; the next time, its records are appended at
// once: no rule is called, and of its results only the gradients of the leaves are made.
//
// The tape is told from others by a log of what each node of the window is: its record, what it saved, and for each operand the
// distance to the node or leaf that it leads to. Nodes of earlier windows, gradients written by hand, second-order passes, gradients of
// chosen inputs and leaves that have a gradient already go op by op.
#pragma once

#include <cstdint>
#include <memory>

#include <runtime/engine/macro_record.hpp>
#include <runtime/engine/recorder.hpp>
#include <swage/autograd/node.hpp>

namespace swage::autograd {

// A node was attached: the log grows.
void note(const Node& node);
// Something happened to the tape that the log cannot tell: no macros until the window ends.
void forget_log();

// One pass from `root`, about to start or, if it has been remembered, done by `replay`.
class Macro {
 public:
  // `seed`: the gradient that the user gave; null for ones.
  Macro(const Value& root, const Value* seed, bool retain_graph);
  ~Macro();
  Macro(const Macro&) = delete;
  Macro& operator=(const Macro&) = delete;

  // Appends the pass if it is known here. Raises MemoryError, and then nothing has changed.
  bool replay(CallSite site);

  // Otherwise the pass goes op by op and says what it does.
  void visits(const Node& node);
  void deposits(Value& leaf) { leaves_.push_back(ValueRef::share(&leaf)); }  // its first gradient
  void does_not_repeat() { repeats_ = false; }
  // It is over, and holds nothing any more: remembers it where it can be repeated.
  void finish();

 private:
  const MacroRecord* find() const;
  void pass_is_done();
  bool learn(MacroRecord& macro) const;
  bool learn_record(MacroRecord& macro, RecordIndex i, RecordIndex node) const;
  bool learn_values(MacroRecord& macro) const;

  Node* root_ = nullptr;
  KnownTrace* path_ = nullptr;  // null: no macro is to be had
  RecordIndex begin_ = 0;
  std::uint64_t root_word_ = 0, seed_word_ = 0;
  bool retain_, repeats_ = true, done_ = false;
  struct Visit {
    RecordIndex begin;  // the first record that the node's rule emitted
    RecordIndex node;   // the node's record
  };
  std::vector<Visit> visits_;
  std::vector<ValueRef> leaves_;
  std::size_t reachable_ = 0;
};

// Passes appended as one record so far, on this thread.
std::uint64_t macros_replayed();

}  // namespace swage::autograd
