// A window that is run again as a whole: the caller knows that it would record just what a trace says, with other values, and hands over
// the value halves. No op is called, compared or recorded; what comes of it is as if all had been.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <runtime/trace/op_record.hpp>

namespace swage {

struct KnownTrace;
struct Trace;

// A result that lives on after the window, as it stands then. Owners come before their views.
struct MadeValue {
  RecordIndex record = 0;   // that it is tagged with
  RecordIndex storage = 0;  // owners: the record that makes the storage
  DescId desc = 0;
  std::int32_t base = -1;                  // views of a result: its place in the list
  RecordIndex of_input = ~RecordIndex{0};  // views of an input: its record
};

// The open window of the calling thread, before it is cut.
struct WindowView {
  std::span<const ValueHalf> halves;
  std::uint64_t first_tag = 0;
  bool known = false;  // it stands on a known path
};

const Trace& trace_of(const KnownTrace& known);
bool runs_compiled(const KnownTrace& known);  // it is kept, and has a plan that pays

}  // namespace swage
