// Windows of sizes not seen before. Where a program leaves every known path at an input that has other extents, and two known
// traces of one family say how such a window goes on, the trace is made up. Its plan is promised: the window is deferred, and the plan
// is put together from code that is there already when the program comes to the end. Keys are compared as ever: a wrong guess is a
// side exit.
#include <new>

#include <runtime/engine/event_log.hpp>
#include <runtime/engine/stream_impl.hpp>

namespace swage {

// Whether a plan for one more member is worth its making. Members must come to share code, and what a family was given ahead of
// time must come back; a little is lent.
bool Stream::Impl::worth_planning(const Family& family) const {
  constexpr std::uint32_t kMostGenerations = 3;
  constexpr double kLent = 5e6;
  if (family.generations >= kMostGenerations) return false;
  return !engine.options.weigh_cost || family.spent_ns <= family.earned_ns + kLent;
}

// True where the cursor has moved over `got`, on a path that was made up.
bool Stream::Impl::predict(const KeyHalf& got) {
  if (!engine.queue || trie.traces().size() >= engine.options.max_traces) return false;
  const auto prefix = window.values.empty() ? std::span<const KeyHalf>() : std::span(window.trace().keys).first(window.size());
  bool any = false;
  try {
    for (Prediction& prediction : families.predict(prefix, got)) any = adopt_prediction(std::move(prediction)) || any;
  } catch (const std::bad_alloc&) {
    any = false;  // the window runs eagerly
  }
  return any && trie.advance(window.cursor, got);
}

bool Stream::Impl::adopt_prediction(Prediction prediction) {
  // The plan is put together on this thread, at the end of the step that it makes shorter. Where that would hold the step up for too long,
  // it is left to the compile thread, and the step runs eagerly.
  constexpr double kPerOp = 5e3;
  const KnownTrace& like = *prediction.like;
  const Family& family = *like.family;
  const double expected_ns = family.last_ns > 0 ? family.last_ns : kPerOp * like.history.ops;
  const auto elapsed_ns = static_cast<double>(engine.options.clock());
  if (engine.options.weigh_cost && !may_pause(expected_ns, like.saving_ns, paused_ns, elapsed_ns)) return false;
  if (like.shelved || !like.history.compilable || !worth_planning(family)) return false;
  const std::shared_ptr<KnownTrace> known = new_known(std::move(prediction.trace));
  known->history.eager_ns = like.history.eager_ns;  // until it is timed
  known->history.eager_best_ns = like.history.eager_best_ns;
  known->history.requested = true;
  known->seen = like.seen;
  known->ahead = known->made_up = known->promised = true;
  event_log().add(EventCode::predicted, known->trace.id, window.size(), like.trace.id);
  counters.traces.add();
  trie.add_plan(trie.insert(known));
  families.join(known);
  return true;
}

}  // namespace swage
