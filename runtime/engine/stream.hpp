// A thread's stream of ops: the window being recorded, the cursor on known traces, the random generator. Every primitive that
// a program executes goes through `emit`.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include <runtime/core/value.hpp>
#include <runtime/engine/whole_window.hpp>
#include <runtime/trace/op_record.hpp>

namespace swage {

struct KnownTrace;

// An operand of a call: a value, a user's scalar (a slot: never part of the key) or a literal (part of the key).
struct CallOperand {
  Value* value = nullptr;
  std::int32_t ref = kNoOperand;  // kScalarSlot or kLiteral where value is null
  DType scalar_class = DType::f64;
};

struct OpCall {
  Op op = Op::none;
  std::uint8_t n_operands = 0;
  bool in_place = false;
  AttrId attr = 0;
  CallOperand operands[3];
  ScalarValue scalar{};    // value of the kScalarSlot operand (at most one); random ops set it themselves
  std::int64_t start = 0;  // narrow: the start along its dimension
  CallSite site;
};

struct RandomState {
  std::uint64_t seed = 0;
  std::uint64_t offset = 0;  // elements drawn so far, rounded up to 4 per op
};

class Stream {
 public:
  static Stream& current();                       // of the calling thread
  static Stream* create() { return new Stream; }  // the registry makes them; never freed

  // Records the op and runs or defers it. Returns the result; for an in-place call that is operand 0 itself, with one more
  // reference. Raises what inference raises, with nothing recorded.
  ValueRef emit(const OpCall& call);

  // Wraps a buffer from outside. `own`: freed by swage (allocated by allocate_buffer); otherwise borrowed.
  ValueRef adopt_buffer(void* data, std::size_t bytes, DescId desc, bool own);

  // Ends the window: everything deferred is computed, by a plan or by the interpreter.
  void cut(CutReason reason, CallSite site);
  void watched_dies(Value& owner) noexcept;  // Value::kWatched
  // Makes the value's buffer readable by the host: cuts (host_read) if it is pending. Raises if the value is poisoned.
  void read(Value& value, CallSite site);
  // As read, and from now on no op on this storage is deferred.
  void expose(Value& value, CallSite site);

  RandomState random_state() const;
  void set_random_state(RandomState state);  // settles nothing: later draws only

  // Stands the window on another known path that begins with the same records, for a macro-record up to `end`. Only while ops are
  // deferred. False, and nothing has changed, where it cannot be followed so far.
  bool take_path(KnownTrace& path, RecordIndex end) noexcept;

  // Whole windows (whole_window.hpp). A window that is to become one is called between `begin_whole` and `end_whole`. `view_window` shows the open one. `cut_to_known` cuts it and gives the trace whose plan has run it, or
  // null. `run_whole` runs one along such a trace: `halves` are all its records but the cut, with the values of inputs, the offsets of views
  // and the scalars; `results` are the values that live on. False, and nothing has happened, where the inputs are not such as the trace
  // was recorded with. Without a plan the records run one by one.
  void begin_whole();
  void end_whole();
  WindowView view_window() const;
  std::shared_ptr<KnownTrace> cut_to_known(CutReason reason, CallSite site);
  bool run_whole(KnownTrace& path, std::span<const ValueHalf> halves, std::span<const MadeValue> made,
                 std::span<ValueRef> results, CutReason reason, CallSite site);

  // Another thread gives up a reference that this stream has counted: it is taken off when the stream next looks.
  void take_over(Value* value) noexcept;

  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream();

  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  Stream();
  std::unique_ptr<Impl> impl_;
};

}  // namespace swage
