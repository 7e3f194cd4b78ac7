// The inside of a stream.
//
// A window is in one of three modes. *Deferring*: every record so far equals the next one on a known path below which a plan
// stands; nothing has run, only the value halves are kept (the keys are the path's). *Running*: records are executed as they
// come; their keys are kept too, unless they are those of a known path, so that the window can be hashed, recognised and made
// known. *Untracked*: executed and forgotten (the eager tier, and windows that the backoff sits out).
//
// Who is alive. The window refers to results weakly: a value that dies clears its record's entry (`forget`), so at the cut the
// entries that are left are exactly the values that escape. Inputs are held strongly until the cut, because deferred records read
// them. A write in place moves a value's entry to the writing record: only the last version of a storage can escape. A view
// holds its owner, so the owner's entry lives at least as long.
#pragma once

#include <array>
#include <atomic>
#include <unordered_map>
#include <vector>

#include <runtime/engine/compile_queue.hpp>
#include <runtime/engine/counters.hpp>
#include <runtime/engine/engine.hpp>
#include <runtime/engine/escape_watch.hpp>
#include <runtime/engine/event_log.hpp>
#include <runtime/engine/family.hpp>
#include <runtime/engine/interpreter.hpp>
#include <runtime/engine/stream.hpp>
#include <runtime/engine/window.hpp>

namespace swage {

// What all streams share; see engine.cpp.
struct SharedEngine {
  KernelTable kernels;
  CompileQueue* queue = nullptr;
  EngineOptions options;
  bool forked = false;  // this process is a child of the one whose engine it was
};
SharedEngine& shared_engine();

// fork.cpp. Threads do not follow into a child: it may start another program, but its ops are refused.
void refuse_after_fork(SharedEngine& engine);
[[noreturn]] void raise_forked(const OpCall& call);

// The tags of a value, as a window sees them. Those of another stream's values stand here: other threads may tag them too.
struct ForeignTags {
  Tag tag = 0, storage = 0, write = 0;
};

enum class WindowMode : std::uint8_t { untracked, running, deferring };

struct Stream::Impl {
  explicit Impl(Stream& stream) : self(stream), engine(shared_engine()) { window.stream = &stream; }

  // What other streams have deferred is computed first.
  void wait_for_others(Value& value, bool writes, CallSite site);

  // emit.cpp
  ValueRef emit(const OpCall& call);
  void begin_window();
  bool limit_reached(const OpCall& call) const;
  RecordIndex enter(Value& value, CallSite site);
  ValueRef defer(const OpCall& call, const KeyHalf& key);
  ValueRef run(const OpCall& call, const KeyHalf& key);
  ValueRef run_untracked(const OpCall& call);
  ValueRef execute(const OpCall& call, const KeyHalf& key, DescId result, ValueHalf& half);
  void check_data(const OpCall& call, const KernelArgs& args) const;
  bool check_deferred(const OpCall& call, const KeyHalf& key) const;
  DescId infer_result(const OpCall& call, const KeyHalf& key);
  Value* make_result(const OpCall& call, DescId result, ValueHalf& half);
  void touch_result(const OpCall& call, Value* result);
  void missed(const KeyHalf& key, CallSite site);
  void record(const KeyHalf& key, DescId result, const ValueHalf& half);
  void log_miss(const KeyHalf& key, CallSite site) const;

  ForeignTags tags(const Value& value) const {
    if (value.stream == &self) [[likely]]
      return {value.tag, value.storage_tag, value.write_tag};
    const auto found = foreign.find(&value);
    return found == foreign.end() ? ForeignTags{} : found->second;
  }
  void set_tag(Value& value, Published<Tag> Value::* own, Tag ForeignTags::* others, Tag tag) {
    if (value.stream == &self) [[likely]]
      value.*own = tag;
    else
      foreign[&value].*others = tag;
  }

  // settle.cpp
  void cut(CutReason reason, CallSite site) { end_window(static_cast<std::int64_t>(reason), site); }
  void end_window(std::int64_t reason, CallSite site);
  bool run_plan(KnownTrace& known);
  AdoptedPlan* acquire(KnownTrace& known);
  void leave(const KeyHalf* got, CallSite site = {});
  void replay(RecordIndex& done);  // `done`: records that have run, also where one raises
  void give_back_draws(RecordIndex failed) noexcept;
  void poison() noexcept;
  void finish(KnownTrace* hit, std::int64_t reason);
  void watch_escapes(const KnownTrace& hit);
  void note_turn(const KnownTrace* ran, std::int64_t reason);
  RecordIndex produced_storage(RecordIndex i) const;
  EscapeMask escapes() const;
  bool is_needed() const;
  void* input_buffer(RecordIndex i) const;
  void close() noexcept;

  // whole_window.cpp
  bool run_whole(KnownTrace& path, std::span<const ValueHalf> halves, std::span<const MadeValue> made,
                 std::span<ValueRef> results, std::int64_t reason, CallSite site);
  bool enter_whole(const Trace& trace, std::span<const ValueHalf> halves, bool& at_once);

  // learn.cpp
  void note_eager_time(TraceHistory& history) const;
  void ran_eagerly(KnownTrace& known);
  void keep_window();
  void consider(KnownTrace& known);
  void request(KnownTrace& known, const EscapeMask& escapes, bool tight);
  void adopt_plans();
  void adopt(CompileOutcome& outcome);
  void wrote_more_than_needed(KnownTrace& known, std::uint64_t held);
  void judge(KnownTrace& known, const AdoptedPlan& plan);
  void make_room();
  std::shared_ptr<Ledger> ledger_of(const Trace& trace);
  bool opens_many();
  Trace window_trace() const;
  void log_unknown();
  std::shared_ptr<KnownTrace> new_known(Trace trace);

  void abandon() noexcept;  // fork.cpp

  // forks.cpp
  bool at_fork() const {
    return !runs_whole && window.on_path && window.cursor.trace && window.cursor.position == window.cursor.trace->ends_at;
  }
  KnownTrace* stem_here() const;
  bool parts(CallSite site);
  KnownTrace* grow_stem(const KnownTrace& path, RecordIndex at);
  void weigh(KnownTrace& path, Fork& fork);
  void end_at_fork(CallSite site);
  void follows(const KnownTrace* next);

  // remember.cpp
  void remember();
  bool recall(KnownTrace& known);
  bool plan_at_sight(const std::shared_ptr<KnownTrace>& known);
  void note_beginning();
  void compile_beginning();
  void forget() noexcept;
  const KnownTrace* nearest(const KeyHalf& got) const;

  // predict.cpp
  bool worth_planning(const Family& family) const;
  bool predict(const KeyHalf& got);
  bool adopt_prediction(Prediction prediction);

  Stream& self;
  SharedEngine& engine;

  WindowMode mode = WindowMode::untracked;
  bool open = false;
  bool runs_whole = false;  // the open window: its caller runs it as a whole once it can, so it does not end before its cut
  KnownTrace* last_hit = nullptr;                          // the trace whose plan has run last, for `cut_to_known`
  Published<Tag> deferring_since = make_tag(kNoEpoch, 0);  // the first record of the window while ops are deferred
  std::uint32_t number = 0;                                // among all streams, from 1
  Value* free_values = nullptr;                            // what its last thread left
  std::unordered_map<const Value*, ForeignTags> foreign;
  bool timing = false;
  Window window;
  double kernel_ns = 0;
  bool touches_at_once = false;
  // The head record, for windows that nothing else ends.
  Op head_op = Op::none;
  AttrId head_attr = 0;
  CallSite head_site;

  TraceTrie trie;
  KnownTrace* stem_before = nullptr;                   // the last window ended at a fork: what stood before it
  bool remembered = false;                             // what earlier processes stored is in the trie
  std::uint32_t noted = 0;                             // windows that might be in `beginning`
  std::vector<std::shared_ptr<KnownTrace>> beginning;  // what the stream ran first, and so far once
  FamilyTable families;
  Backoff deferral_backoff, tracking_backoff;
  Steadiness steadiness;
  std::unordered_map<std::uint64_t, std::uint32_t> sightings, family_sightings;  // of windows that are not known
  std::uint64_t collected = 0;                                                   // outcomes of the compile queue seen so far
  std::uint64_t window_count = 0;
  std::uint64_t unknown_windows = 0;                                    // that were not kept
  Ledger ledger;                                                        // of this stream
  double paused_ns = 0;                                                 // for plans put together on its thread
  std::unordered_map<std::uint64_t, std::weak_ptr<Ledger>> structures;  // ledgers by what their traces have in common

  struct Inferred {
    KeyHalf key;
    DescId result = 0;
  };
  std::array<Inferred, 512> inferred;

  // References given up by other threads. Under the registry's mutex, but for the flag.
  std::vector<Value*> mail;
  std::atomic<bool> has_mail{false};
  bool has_thread = false;

  EscapeWatch watch;
  runlog::TraceFigures* before_read = nullptr;  // of the last window, where the host's read ended it

  RandomState random;
  void* arena = nullptr;
  std::size_t arena_bytes = 0;
  std::vector<void*> buffers;  // by record, for plans and replays
  std::vector<Value*> owners;  // by storage: the living owners of what this window produced
  StreamCounters& counters = event_log().new_stream();
};

// Where the engine ends a window of itself (forks.cpp): follows the reasons that a program can have.
inline constexpr auto kFork = static_cast<std::int64_t>(CutReason::flush) + 1;

// The record that ends a window.
KeyHalf cut_key(std::int64_t reason);

// The buffer of an op's result; a MemoryError names the op and the line.
void* allocate_result(Op op, const ViewDesc& desc, CallSite site);

// Epochs are unique in the process, so that a tag of one stream means nothing to another.
std::uint64_t next_epoch();
std::uint32_t next_trace_id();

}  // namespace swage
