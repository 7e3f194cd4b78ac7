// What stands between a program and its stream while ops are collected to be run in batches (frontend/swage/batch/): a value may then
// be described by a graph that has not run yet.
#pragma once

#include <runtime/core/call_site.hpp>
#include <runtime/core/value.hpp>

namespace swage {

class Collector {
 public:
  // Runs what has been collected, so that every value has its numbers or its record.
  virtual void settle(CallSite site) = 0;

 protected:
  ~Collector() = default;
};

// Of the calling thread; null where ops are not collected.
extern constinit thread_local Collector* collector [[gnu::tls_model("initial-exec")]];

// Epochs that no window reaches: a collected value carries its place in the graph as its last write.
inline constexpr std::uint64_t kFirstCollectedEpoch = std::uint64_t{1} << 43;
inline bool is_collected(const Value& value) {
  return !value.base && value.flags & Value::kPending && epoch_of(value.write_tag) >= kFirstCollectedEpoch;
}

}  // namespace swage
