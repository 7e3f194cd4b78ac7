// How a run's traces are shown. Lines fit 100 columns, but for the records of a trace, which parse_trace can read back.
#pragma once

#include <string>

#include <tools/trace/run_log.hpp>

namespace swage::tool {

std::string traces_as_table(const RunLog& log, std::size_t count);
std::string traces_as_json(const RunLog& log);  // {"traces":[{"id":"t17","runs",…}]}
std::string trace_as_text(const RunLog& log, const LoggedTrace& trace);

}  // namespace swage::tool
