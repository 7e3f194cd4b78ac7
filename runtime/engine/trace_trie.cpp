#include <runtime/engine/trace_trie.hpp>

#include <algorithm>

#include <runtime/core/error.hpp>

namespace swage {

bool TraceTrie::branch(Cursor& cursor, const KeyHalf& key) const {
  const auto edge = edges_.find({cursor.trace, cursor.position, key});
  if (edge == edges_.end()) return false;
  cursor = {edge->second, cursor.position + 1};
  return true;
}

KnownTrace& TraceTrie::insert(std::shared_ptr<KnownTrace> trace) {
  Cursor cursor;
  for (const KeyHalf& key : trace->trace.keys)
    if (!advance(cursor, key)) {
      traces_.push_back(trace);
      try {
        edges_.emplace(Edge{cursor.trace, cursor.position, key}, trace.get());
      } catch (...) {
        traces_.pop_back();
        throw;
      }
      trace->parent = cursor.trace;
      trace->shared = cursor.position;
      if (trace->parent) ++trace->parent->children;
      bytes_ += trace->bytes();
      return *trace;
    }
  fail(__FILE__, __LINE__, "a trace of {} records is known already", trace->trace.size());
}

void TraceTrie::add_plan(KnownTrace& trace) {
  ++plans_;
  for (KnownTrace* at = &trace; at; at = at->parent) ++at->plans_below;
}

void TraceTrie::remove_plan(KnownTrace& trace) {
  --plans_;
  for (KnownTrace* at = &trace; at; at = at->parent) --at->plans_below;
}

std::size_t TraceTrie::evict(std::size_t most_traces, std::size_t most_bytes) {
  const std::size_t before = traces_.size();
  // A parent is older than its children in `traces_`, and its records serve them: it counts as used when they are.
  for (auto it = traces_.rbegin(); it != traces_.rend(); ++it)
    if (KnownTrace* parent = (*it)->parent) parent->last_used = std::max(parent->last_used, (*it)->last_used);
  std::vector<KnownTrace*> oldest;
  oldest.reserve(before);
  for (auto it = traces_.rbegin(); it != traces_.rend(); ++it) oldest.push_back(it->get());  // children before their parents
  std::ranges::stable_sort(oldest, {}, &KnownTrace::last_used);
  std::size_t left = before;
  for (KnownTrace* trace : oldest) {
    if (left <= most_traces && bytes_ <= most_bytes) break;
    if (trace->children > 0) continue;
    if (trace->counted()) remove_plan(*trace);
    edges_.erase({trace->parent, trace->shared, trace->trace.keys[trace->shared]});
    if (trace->parent) --trace->parent->children;
    bytes_ -= trace->bytes();
    trace->dropped = true;
    trace->publish();
    --left;
  }
  std::erase_if(traces_, [](const auto& trace) { return trace->dropped; });
  return before - left;
}

void TraceTrie::clear() {
  for (const auto& trace : traces_) trace->dropped = true;
  bytes_ = 0;
  edges_.clear();
  traces_.clear();
  plans_ = 0;
}

}  // namespace swage
