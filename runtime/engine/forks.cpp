// Programs that part. Where a known path is left for one other path, both become known as wholes. Where it has been left several times
// for what was not known, the program goes on in many ways (k conditionals in a step make 2^k paths), and waiting for each of them to
// recur is in vain. Such a place is a *fork*: the window ends there, by a cut of its own, and the next one begins with the record that
// was not expected. What stands before the fork is a trace, the *stem*, with a plan of its own; what follows is known by its own
// records, for operands are distances and what was made before the fork enters as an input. So each way out of each fork is learned
// once, whatever came before it: k conditionals take O(k) traces.
//
// As long as most windows stay on the path, only those that leave it end at the fork (a side exit that is hot: its prefix runs as a plan).
// Where more leave, every window ends there: else each trace would be followed to the end of some combination that never recurs, and
// each of its forks would need a stem. A fork behind which the same always follows is closed again.
#include <algorithm>
#include <bit>
#include <new>
#include <utility>

#include <runtime/engine/event_log.hpp>
#include <runtime/engine/stream_impl.hpp>

namespace swage {
namespace {

constexpr std::uint32_t kLeaves = 4;    // times that a path is left at a place before windows end there
constexpr std::size_t kMostForks = 64;  // watched on one trace
constexpr std::size_t kLeastOps = 4;    // of a stem
constexpr std::uint64_t kShare = 2;     // every window ends at a fork where at least one leaves for so many that stay
constexpr std::uint32_t kSettled = 256;

Fork* fork_at(KnownTrace& path, RecordIndex at) {
  const auto found = std::ranges::find(path.forks, at, &Fork::at);
  if (found != path.forks.end()) return &*found;
  if (path.forks.size() == kMostForks) return nullptr;
  path.forks.push_back({.at = at});
  return &path.forks.back();
}

}  // namespace

// The trace that ends by a fork where the cursor stands; null where there is none.
KnownTrace* Stream::Impl::stem_here() const {
  Cursor cursor = window.cursor;
  return trie.advance(cursor, cut_key(kFork)) ? cursor.trace : nullptr;
}

// No known path goes on from where the window stands. True where that is a fork: the window has ended, and the op at hand begins the next.
bool Stream::Impl::parts(CallSite site) {
  KnownTrace* const path = window.cursor.trace;
  if (!window.on_path || !path || touches_at_once || runs_whole) return false;
  try {
    Fork* const fork = fork_at(*path, window.cursor.position);
    if (!fork) return false;
    ++fork->left;
    KnownTrace* stem = stem_here();
    if (stem && fork->left < fork->wait) return false;  // it was closed
    if (!stem) {
      if (fork->left < kLeaves) return false;
      stem = grow_stem(*path, fork->at);
      if (!stem) return false;
      event_log().add(EventCode::forked, path->trace.id, fork->at, stem->trace.id);
    }
    if (std::has_single_bit(fork->left)) weigh(*path, *fork);
  } catch (const std::bad_alloc&) {
    return false;
  }
  end_at_fork(site);
  return true;
}

KnownTrace* Stream::Impl::grow_stem(const KnownTrace& path, RecordIndex at) {
  const Trace& whole = path.trace;
  const auto n = static_cast<std::ptrdiff_t>(at);
  Trace trace;
  trace.keys.assign(whole.keys.begin(), whole.keys.begin() + n);
  if (trace.n_ops() < kLeastOps || trie.traces().size() >= engine.options.max_traces) return nullptr;
  trace.results.assign(whole.results.begin(), whole.results.begin() + n);
  trace.sites.assign(whole.sites.begin(), whole.sites.begin() + n);
  trace.keys.push_back(cut_key(kFork));
  trace.results.push_back(0);
  trace.sites.emplace_back();
  complete(trace);
  const std::shared_ptr<KnownTrace> stem = new_known(std::move(trace));
  stem->seen = EscapeMask(at + 1);
  // Until it is timed.
  stem->history.eager_ns = path.history.eager_ns * stem->history.ops / std::max(1u, path.history.ops);
  counters.traces.add();
  trie.insert(stem);
  families.join(stem);
  return stem.get();
}

// Whether every window is to end here, by how many have come by and how many of them have left since this was last asked.
void Stream::Impl::weigh(KnownTrace& path, Fork& fork) {
  std::uint64_t passed = 0;
  for (const auto& trace : trie.traces()) {
    auto until = static_cast<RecordIndex>(trace->trace.size());  // how far it goes along `path`
    const KnownTrace* via = trace.get();
    for (; via && via != &path; via = via->parent) until = via->shared;
    if (via && until > fork.at) passed += trace->history.runs;
  }
  const std::uint64_t left = fork.left - fork.weighed_left;
  const std::uint64_t stayed = passed > fork.weighed_passed ? passed - fork.weighed_passed : 0;
  fork.weighed_left = fork.left;
  fork.weighed_passed = passed;
  if (left * kShare >= stayed) path.ends_at = std::min(path.ends_at, fork.at);
}

void Stream::Impl::end_at_fork(CallSite site) {
  KnownTrace* const stem = stem_here();
  end_window(kFork, site);
  stem_before = stem;
}

// `next` ran behind a fork; null for what is not known.
void Stream::Impl::follows(const KnownTrace* next) {
  KnownTrace& stem = *std::exchange(stem_before, nullptr);
  if (!next || stem.next != next) {
    stem.next = next;
    stem.next_for = 0;
    return;
  }
  if (++stem.next_for < kSettled) return;
  const auto at = static_cast<RecordIndex>(stem.trace.size() - 1);
  KnownTrace& path = stem.shared == at && stem.parent ? *stem.parent : stem;
  Fork* const fork = fork_at(path, at);
  if (!fork) return;
  stem.next_for = 0;
  fork->wait = std::max(fork->wait, kLeaves) * 2;
  fork->left = fork->weighed_left = 0;
  if (path.ends_at == at) path.ends_at = KnownTrace::kNowhere;
  event_log().add(EventCode::closed, path.trace.id, at);
}

}  // namespace swage
