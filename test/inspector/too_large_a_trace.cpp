#include <cstdlib>

#include <programs.hpp>

#include <runtime/engine/event_log.hpp>

// A log with a trace that no machine here has the memory to run: 4 TiB are read, and as many made. Nothing of it is run.
void swage::inspector::too_large_a_trace() {
  EventLog log(std::getenv("SWAGE_LOG"));
  Trace trace = parse_trace(R"(%0 = input : f32[1048576,1048576]
%1 = tanh(%0) : f32[1048576,1048576]
cut {0}
)");
  trace.id = 1;
  trace.sites.resize(trace.size());
  log.store(trace);
  log.end();
}
