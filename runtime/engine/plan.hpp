// What the ground floor needs from a compiler: a trace in, a plan out.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include <runtime/trace/trace.hpp>

namespace swage {

// What a plan runs on. All arrays are indexed by record.
struct PlanFrame {
  std::span<const ValueHalf> values;  // offsets, scalars and sites of this run
  std::span<void* const> storages;    // buffers of input storages and of escaping storages; null elsewhere
  void* arena = nullptr;              // at least plan.arena_bytes(), 64-byte aligned
};

// Why a plan must not run on these inputs.
struct CheckFailure {
  RecordIndex record = 0;
  std::string message;
};

// A compiled cell. Used by one thread at a time.
class Plan {
 public:
  virtual ~Plan() = default;
  const EscapeMask& escapes() const { return escapes_; }  // the storages it writes out
  std::size_t arena_bytes() const { return arena_bytes_; }
  // Every check that can fail, before anything is written.
  virtual std::optional<CheckFailure> check(const PlanFrame& frame) = 0;
  // Cannot fail.
  virtual void run(const PlanFrame& frame) = 0;

 protected:
  EscapeMask escapes_;
  std::size_t arena_bytes_ = 0;
};

struct CompileResult {
  std::unique_ptr<Plan> plan;
  std::size_t groups = 0;         // fused groups
  std::size_t fused_ops = 0;      // primitives inside them
  std::size_t library_calls = 0;  // primitives bound as calls
  std::size_t pending_ops = 0;    // primitives that their kernels run until somebody asks for their code
  std::size_t generated = 1;      // loops that code was generated for; 0: the plan was assembled of code that was known
  std::string notes;              // why neighbours were not fused, one line each
};

// Throws CompileError (with the reason, in words) for what it cannot compile.
class Compiler {
 public:
  virtual ~Compiler() = default;
  // Runs on the compile thread.
  virtual CompileResult compile(const Trace& trace, const EscapeMask& escapes) = 0;
  // The plan of a trace whose code is known already, in a millisecond or two; none where code would have to be generated. Runs on
  // any thread, beside `compile`.
  virtual std::optional<CompileResult> recall(const Trace&, const EscapeMask&) { return std::nullopt; }
  // As `recall`, but where some code is missing the rest of the plan runs what is known, and kernels run the others (`pending_ops`).
  // None where too little is known for that.
  virtual std::optional<CompileResult> recall_partly(const Trace& trace, const EscapeMask& escapes) {
    return recall(trace, escapes);
  }
  // Drops the code that is kept for later traces. Living plans keep theirs.
  virtual void forget() {}
};

}  // namespace swage
