// What a program should change to run faster, found in its log. Pure: from a log to a list.
#pragma once

#include <string>
#include <vector>

#include <runtime/log/reader.hpp>
#include <tools/trace/source_lines.hpp>

namespace swage::tool {

struct Advice {
  std::string illness;   // its name, for programs: "host-read"
  std::string what;      // what the program does
  std::string evidence;  // how that is known
  std::string cure;      // what to do instead
  std::string place;     // the line
  std::string id;        // a trace to look at, "t17"
  double gain_us = 0;    // what the run so far would have been spared, roughly
};

// The largest gain first. What would spare less than a thirtieth of the run is left out.
std::vector<Advice> advise(const runlog::Run& run, SourceLines& lines);

// The bytes of a record's result, and what reading or writing one costs. Measured.
double bytes_of(const Trace& trace, RecordIndex record);
inline constexpr double kUsPerByte = 0.05e-3;

// Each kind of illness; `advise` asks them all. Of what they return, several may be of one line.
using Advices = std::vector<Advice>;
// advice_reads.cpp
Advices host_reads(const runlog::Run& run, SourceLines& lines);
// advice_memory.cpp
Advices unread_results(const runlog::Run& run, SourceLines& lines);
Advices borrowed_memory(const runlog::Run& run, SourceLines& lines);
Advices writes_between(const runlog::Run& run, SourceLines& lines);
// advice_structure.cpp
Advices growing_tensors(const runlog::Run& run, SourceLines& lines);
Advices changing_structure(const runlog::Run& run, SourceLines& lines);
Advices plans_that_do_not_pay(const runlog::Run& run, SourceLines& lines);

}  // namespace swage::tool
