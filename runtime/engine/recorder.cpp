#include <runtime/engine/recorder.hpp>

#include <algorithm>
#include <thread>

#include <runtime/engine/known_trace.hpp>

namespace swage {

const ExpectedRecord kNothingExpected{{.op = Op::none, .n_operands = 0xFF, .flags = 0xFF, .attr = ~AttrId{0}, .operands = {}},
                                      0};

namespace {
constinit Recorder nobodys;  // nothing matches what it expects, and nobody asks how deep it is
}  // namespace

constinit thread_local Recorder* recorder = &nobodys;
constinit thread_local Recorder* own_recorder = &nobodys;

void use_recorder(Recorder* of_stream) {
  own_recorder = of_stream ? of_stream : &nobodys;
  act_for(*own_recorder);
}
void act_for(Recorder& of_stream) {
  recorder = &of_stream;
  this_stream = of_stream.stream;
}

void Engaged::wait() noexcept {
  do {
    recorder_.depth.store(0, std::memory_order_release);
    while (recorder_.revoked.load(std::memory_order_acquire)) std::this_thread::yield();
    recorder_.depth.store(1, kStore);
    std::atomic_signal_fence(std::memory_order_seq_cst);
  } while (recorder_.revoked.load(kLoad));
}

const std::vector<ExpectedRecord>& KnownTrace::expect(RecordIndex limit) {
  const std::size_t n = std::min<std::size_t>(trace.size(), std::min(limit, ends_at));
  if (expected_.size() == n + 1) return expected_;
  expected_.clear();
  expected_.reserve(n + 1);
  for (std::size_t i = 0; i < n; ++i) expected_.push_back({trace.keys[i], trace.results[i]});
  expected_.push_back(kNothingExpected);
  return expected_;
}

}  // namespace swage
