// The one pool of worker threads. Work is split statically: which thread computes what is a function of the extent and the
// number of threads alone.
#pragma once

#include <cstdint>

namespace swage {

// How many threads take part in one op, the calling one included. 1 unless set. Not to be changed while ops are pending.
int num_threads();
void set_num_threads(int threads);  // raises ValueError outside 1 … 64

// True on a pool worker, and on a thread that must not fan out (the compile thread).
bool inside_parallel_region();
struct SerialScope {  // the calling thread works alone while this lives
  SerialScope();
  ~SerialScope();
  SerialScope(const SerialScope&) = delete;
  SerialScope& operator=(const SerialScope&) = delete;

 private:
  bool outer_;
};

using RangeFunction = void (*)(void* context, std::int64_t begin, std::int64_t end, int worker);
// Calls `f` on consecutive parts of [0, extent), one a thread, each a multiple of `grain` long (but the last); waits for all.
// `f` must not throw.
void parallel_for(std::int64_t extent, std::int64_t grain, RangeFunction f, void* context);

template <class F>
void parallel_for(std::int64_t extent, std::int64_t grain, F&& f) {
  parallel_for(
      extent, grain,
      [](void* context, std::int64_t begin, std::int64_t end, int worker) { (*static_cast<F*>(context))(begin, end, worker); },
      &f);
}

}  // namespace swage
