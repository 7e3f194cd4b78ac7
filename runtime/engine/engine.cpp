#include <runtime/engine/engine.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>

#include <runtime/cache/plan_cache.hpp>
#include <runtime/core/error.hpp>
#include <runtime/engine/debug_report.hpp>
#include <runtime/engine/event_log.hpp>
#include <runtime/engine/failure_report.hpp>
#include <runtime/engine/registry.hpp>
#include <runtime/engine/stream_impl.hpp>

namespace swage {
namespace {

KernelTableFactory kernel_factory = nullptr;
CompilerFactory compiler_factory = nullptr;

Stream::Impl& mine() { return Stream::current().impl(); }

}  // namespace

void wire_engine(KernelTableFactory kernels, CompilerFactory compiler) {
  kernel_factory = kernels;
  compiler_factory = compiler;
}

SharedEngine& shared_engine() {
  static auto* engine = [] {
    event_log();
    auto* made = new SharedEngine;
    if (!kernel_factory) fail(__FILE__, __LINE__, "wire_engine was not called before the first op");
    made->kernels = kernel_factory();
    made->queue = new CompileQueue(compiler_factory);
    refuse_after_fork(*made);
    report_windows_on_failure();
    start_debug_report();
    return made;
  }();
  return *engine;
}

std::uint64_t next_epoch() {
  static std::atomic<std::uint64_t> epoch{1};
  return epoch.fetch_add(1, std::memory_order_relaxed);
}

std::uint32_t next_trace_id() {
  static std::atomic<std::uint32_t> id{1};
  return id.fetch_add(1, std::memory_order_relaxed);
}

EngineOptions engine_options() { return shared_engine().options; }

void set_engine_options(const EngineOptions& options) {
  mine().cut(CutReason::flush, {});
  shared_engine().options = options;
  allow_cache_lookups(options.remember);
}

void forget_traces() {
  Stream::Impl& impl = mine();
  impl.cut(CutReason::flush, {});
  impl.engine.queue->wait();
  impl.adopt_plans();
  impl.forget();
  impl.structures.clear();
  impl.ledger = {};
  impl.deferral_backoff = {};
  impl.tracking_backoff = {};
}

void forget_code() { shared_engine().queue->forget_code(); }

void wait_for_compiler() { shared_engine().queue->wait(); }
bool compiler_idle() { return shared_engine().queue->idle(); }

EngineStats engine_stats() {
  EngineStats stats;
  StreamRegistry::get().each([&](Stream& stream) {
    const StreamCounters& counters = stream.impl().counters;
    stats.ops += counters.ops.get();
    stats.compiled_ops += counters.compiled_ops.get();
    stats.windows += counters.windows.get();
    stats.hits += counters.hits.get();
    stats.misses += counters.misses.get();
    stats.side_exits += counters.side_exits.get();
    stats.traces += counters.traces.get();
  });
  const CompileQueue::Statistics queue = shared_engine().queue->statistics();
  stats.compiles = queue.compiled.count;
  stats.assembled = queue.assembled.count;
  stats.compile_failures = queue.failed;
  stats.compile_ms_total = queue.compiled.total_ms;
  stats.compile_ms_p50 = queue.compiled.median_ms();
  stats.compile_ms_max = queue.compiled.max_ms;
  stats.assemble_ms_p50 = queue.assembled.median_ms();
  stats.assemble_ms_max = queue.assembled.max_ms;
  return stats;
}

}  // namespace swage
