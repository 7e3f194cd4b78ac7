#include <runtime/engine/trace_trie.hpp>

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
      edges_.emplace(Edge{cursor.trace, cursor.position, key}, trace.get());
      trace->parent = cursor.trace;
      trace->shared = cursor.position;
      traces_.push_back(std::move(trace));
      return *traces_.back();
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

void TraceTrie::clear() {
  edges_.clear();
  traces_.clear();
  plans_ = 0;
}

}  // namespace swage
