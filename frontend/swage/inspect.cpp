#include <swage/inspect.hpp>

#include <algorithm>
#include <exception>
#include <map>

#include <fmt/format.h>

#include <runtime/engine/event_log.hpp>
#include <runtime/engine/event_words.hpp>
#include <runtime/engine/stream_impl.hpp>
#include <swage/detail/call.hpp>
#include <swage/runtime.hpp>

namespace swage {
namespace {

// Ran op by op, or was compiled again.
bool is_trouble(const Event& event) { return weight_of(event.code) <= Weight::loss || event.code == EventCode::requested; }

const KnownTrace* known_trace(std::uint32_t id) {
  for (const auto& known : detail::stream().impl().trie.traces())
    if (known->trace.id == id) return known.get();
  return nullptr;
}

std::string in_words(const Event& event) {
  const KnownTrace* const near = event.trace == 0 ? nullptr : known_trace(event.trace);
  const EventWords words = words_for(EventFacts{event.code, event.trace, event.position, event.value, event.key,
                                                near ? &near->trace : nullptr, near ? std::string_view(near->refusal) : ""});
  const std::string at = event.site.known() ? ", at " + describe(event.site) : "";
  return words.what + (words.why.empty() ? "" : ": " + words.why) + at;
}

// Of the calling thread, or of the compile thread about a trace of its.
bool is_mine(const Event& event) {
  return event.stream == detail::stream().impl().number || (event.stream == 0 && known_trace(event.trace));
}

// Equal words once, with their number.
std::vector<std::string> troubles_since(std::uint64_t ns) {
  std::vector<std::string> found;
  std::map<std::string, std::size_t> counts;
  for (const Event& event : event_log().events()) {
    if (event.ns < ns || !is_trouble(event) || !is_mine(event)) continue;
    std::string words = in_words(event);
    if (++counts[words] == 1) found.push_back(std::move(words));
  }
  for (std::string& words : found)
    if (const std::size_t n = counts[words]; n > 1) words += fmt::format(" ({} times)", n);
  return found;
}

}  // namespace

std::string explain(const std::function<void()>& function) {
  detail::stream().cut(CutReason::flush, {});
  const StreamCounters& counters = detail::stream().impl().counters;
  const std::uint64_t since = nanoseconds_since_start();
  const std::uint64_t windows = counters.windows.get(), hits = counters.hits.get(), ops = counters.ops.get(),
                      compiled = counters.compiled_ops.get();
  function();
  detail::stream().cut(CutReason::flush, {});
  std::string text =
      fmt::format("{} windows, {} of them compiled; {} ops, {} of them compiled\n", counters.windows.get() - windows,
                  counters.hits.get() - hits, counters.ops.get() - ops, counters.compiled_ops.get() - compiled);
  for (const std::string& words : troubles_since(since)) text += words + "\n";
  return text;
}

NoRecompileScope::NoRecompileScope() : exceptions_(std::uncaught_exceptions()) {
  detail::stream().cut(CutReason::flush, {});
  since_ns_ = nanoseconds_since_start();
}

NoRecompileScope::~NoRecompileScope() noexcept(false) {
  if (std::uncaught_exceptions() > exceptions_) return;
  detail::stream().cut(CutReason::flush, {});
  const std::vector<std::string> found = troubles_since(since_ns_);
  if (found.empty()) return;
  std::string text = "inside a NoRecompileScope";
  for (const std::string& words : found) text += "\n  " + words;
  throw RecompileError(text);
}

}  // namespace swage
