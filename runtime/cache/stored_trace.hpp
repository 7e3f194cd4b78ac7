// Traces that outlive their process. Their records are spelled out: no interned ids, no addresses.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <runtime/cache/entry_folder.hpp>
#include <runtime/trace/trace.hpp>

namespace swage {

struct StoredTrace {
  Trace trace;          // without sites and id
  EscapeMask escapes;   // that its plan was made for
  double eager_ns = 0;  // of its kernels, when they ran one by one
};

// Equal for equal keys and results, in any process.
std::string trace_key(const Trace& trace);
// Interns what it reads. Nothing where the text is not one that `trace_key` wrote.
std::optional<Trace> trace_of_key(std::string_view key);

// What an entry of the plan cache holds. Nothing, and what is wrong with it in words, where it is damaged.
inline constexpr std::string_view kTraceKind = "trace";
const std::string& trace_environment();
std::optional<StoredTrace> stored_trace_of(const Entry& entry, std::string& why_not);

// In the plan cache. `load_traces` gives the most recently used ones of this build, at most `most`.
void store_trace(const Trace& trace, const EscapeMask& escapes, double eager_ns);
void drop_trace(const Trace& trace);
std::vector<StoredTrace> load_traces(std::size_t most);

}  // namespace swage
