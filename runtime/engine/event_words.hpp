// What the engine decided, in words: for the inspector, for `explain`, and for SWAGE_DEBUG.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <runtime/engine/event_log.hpp>
#include <runtime/trace/trace.hpp>

namespace swage {

// An event with what is known of the trace that it names.
struct EventFacts {
  EventCode code = EventCode::kept;
  std::uint32_t trace = 0, position = 0, value = 0;
  KeyHalf key;
  const Trace* near = nullptr;  // null where it is none, or is not known any more
  std::string_view refusal;     // why it was last refused
};

struct EventWords {
  std::string what;  // what happened
  std::string why;   // the field that differed, or the reason; may be empty
};
EventWords words_for(const EventFacts& event);

std::string name_of_trace(std::uint32_t id);  // "t17"

// Which line is to blame: none; that of the event, else of the record it names; or where the trace begins.
enum class Blame : std::uint8_t { nothing, record, beginning };
Blame blame_of(EventCode code);

// How much it matters, as the levels of SWAGE_DEBUG (runtime/engine/debug_report.hpp) count.
enum class Weight : std::uint8_t {
  trouble = 1,  // something is not compiled, or no longer
  loss,         // a window ran op by op though it might have run compiled
  decision,     // what was kept, compiled, adopted, and by what right
  work,         // windows that ran as plans
};
Weight weight_of(EventCode code);

}  // namespace swage
