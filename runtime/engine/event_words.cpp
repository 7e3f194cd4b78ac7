#include <runtime/engine/event_words.hpp>

#include <fmt/format.h>

#include <runtime/trace/difference.hpp>

namespace swage {
namespace {

// Where a window and the nearest known trace part.
std::string parting(const EventFacts& event) {
  if (!event.near) return event.trace == 0 ? "no trace was known" : "the nearest trace is no longer known";
  if (event.key.op == Op::none) return "";
  if (event.position >= event.near->size()) return "it went on where the trace ends";
  return describe_difference(event.near->keys[event.position], event.key);
}

}  // namespace

std::string name_of_trace(std::uint32_t id) { return fmt::format("t{}", id); }

Blame blame_of(EventCode code) {
  switch (code) {
    case EventCode::missed:
    case EventCode::side_exit:
    case EventCode::check_failed:
    case EventCode::escapes_grew:
    case EventCode::forked:
    case EventCode::closed: return Blame::record;
    case EventCode::kept:
    case EventCode::refused:
    case EventCode::shelved:
    case EventCode::storm: return Blame::beginning;
    default: return Blame::nothing;
  }
}

Weight weight_of(EventCode code) {
  switch (code) {
    case EventCode::failed:
    case EventCode::refused:
    case EventCode::shelved:
    case EventCode::storm:
    case EventCode::evicted: return Weight::trouble;
    case EventCode::missed:
    case EventCode::side_exit:
    case EventCode::check_failed:
    case EventCode::escapes_grew:
    case EventCode::forked: return Weight::loss;
    case EventCode::hit: return Weight::work;
    default: return Weight::decision;
  }
}

EventWords words_for(const EventFacts& event) {
  const std::string name = name_of_trace(event.trace) + (event.near ? fmt::format(" ({} ops)", event.near->n_ops()) : "");
  const std::string refusal(event.refusal);
  switch (event.code) {
    case EventCode::kept: return {name + " was kept: its window has recurred", ""};
    case EventCode::requested: return {name + " was handed to the compiler", ""};
    case EventCode::compiled: return {fmt::format("{} was compiled in {:.1f} ms", name, event.value / 1000.0), ""};
    case EventCode::assembled:
      return {fmt::format("a plan of {} was put together in {:.1f} ms of code that was known", name, event.value / 1000.0), ""};
    case EventCode::adopted:
      return {fmt::format("{} runs compiled from here on{}", name,
                          event.value ? ", writing out only what has been held of late" : ""),
              ""};
    case EventCode::failed: return {name + " could not be compiled", refusal};
    case EventCode::refused: return {name + " is not to be compiled", refusal};
    case EventCode::hit: return {fmt::format("{} ran compiled {} times", name, event.value), ""};
    case EventCode::missed:
      return {event.trace == 0
                  ? std::string("a window followed no known path")
                  : fmt::format("a window left every known path after {} records; nearest is {}", event.position, name),
              parting(event)};
    case EventCode::side_exit:
      return {fmt::format("{} was left after {} deferred records, which then ran one by one", name, event.position),
              event.key.op == Op::none ? "somebody needed a value before the window ended, or no plan could come of it"
                                       : parting(event)};
    case EventCode::check_failed:
      return {fmt::format("the plan of {} refused the data at record {}, and the window ran one by one", name, event.position),
              "an index is out of range, or a shape does not fit: eager execution raises the error at its line"};
    case EventCode::escapes_grew:
      return {fmt::format("a value of {} outlived its window that the plan does not write out", name),
              fmt::format("record {} is held by a handle or by the tape where it was not before", event.position)};
    case EventCode::evicted:
      return {fmt::format("{} traces were dropped, those unused for longest", event.value),
              "the limits on traces were reached"};
    case EventCode::shelved:
      return {fmt::format("the plan of {} waits", name),
              fmt::format("it takes {} % of the time of its kernels one by one", event.value)};
    case EventCode::resumed: return {fmt::format("the plan of {} is tried again", name), ""};
    case EventCode::predicted:
      return {fmt::format("{} was made up for sizes not seen before, after {}", name, name_of_trace(event.value)), ""};
    case EventCode::storm:
      return {fmt::format("{} is not compiled for now", name),
              fmt::format("{} compilations of its structure have not paid for themselves yet", event.value)};
    case EventCode::remembered: return {fmt::format("{} traces of earlier processes were loaded", event.value), ""};
    case EventCode::forked:
      return {fmt::format("{} goes on in many ways after {} records: windows end there", name, event.position),
              fmt::format("what stands before is {}", name_of_trace(event.value))};
    case EventCode::closed:
      return {fmt::format("windows no longer end in {} after {} records", name, event.position),
              "of late the same has always followed"};
  }
  return {fmt::format("event of code {}, which this build does not know", static_cast<std::uint32_t>(event.code)), ""};
}

}  // namespace swage
