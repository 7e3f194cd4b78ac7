// A trace that the engine keeps, with its history and its plan.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <runtime/engine/plan.hpp>
#include <runtime/engine/policy.hpp>
#include <runtime/trace/trace.hpp>

namespace swage {

struct KnownTrace {
  Trace trace;  // immutable once kept

  TraceHistory history;
  std::uint64_t hits = 0;
  std::uint64_t side_exits = 0;
  std::uint32_t timed_runs = 0;
  EscapeMask seen;      // every storage that has escaped so far
  std::string refusal;  // why it is not compiled, in words

  bool dropped = false;  // no longer in the trie

  std::unique_ptr<Plan> plan;
  std::vector<RecordIndex> outputs;  // the storages that the plan writes out
  double compile_ms = 0;
  std::size_t groups = 0, fused_ops = 0, library_calls = 0;
  std::string notes;

  // In the trie: positions below `shared` belong to `parent` and its parents.
  KnownTrace* parent = nullptr;
  RecordIndex shared = 0;
  std::uint32_t plans_below = 0;  // plans on paths that pass through this trace's own positions
};

}  // namespace swage
