#include <runtime/engine/recorder.hpp>

#include <algorithm>

#include <runtime/engine/known_trace.hpp>

namespace swage {

const ExpectedRecord kNothingExpected{{.op = Op::none, .n_operands = 0xFF, .flags = 0xFF, .attr = ~AttrId{0}, .operands = {}},
                                      0};

namespace {
constinit Recorder nobodys;  // never written: nothing matches what it expects
}  // namespace

constinit thread_local Recorder* recorder = &nobodys;
void use_recorder(Recorder* of_stream) {
  recorder = of_stream ? of_stream : &nobodys;
  this_stream = recorder->stream;
}

const std::vector<ExpectedRecord>& KnownTrace::expect(RecordIndex limit) {
  const std::size_t n = std::min<std::size_t>(trace.size(), limit);
  if (expected_.size() == n + 1) return expected_;
  expected_.clear();
  expected_.reserve(n + 1);
  for (std::size_t i = 0; i < n; ++i) expected_.push_back({trace.keys[i], trace.results[i]});
  expected_.push_back(kNothingExpected);
  return expected_;
}

}  // namespace swage
