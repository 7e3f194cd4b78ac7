// CUDA's execution model on the CPU, as C++ source that goes in front of generated kernels: a block's threads are fibers, which
// run in turn from one barrier to the next. So the same source that NVRTC compiles runs without a GPU.
#pragma once

namespace swage::test {

// Behind it, `SWAGE_LAUNCHER(group_0)` defines
//   extern "C" int launch_group_0(void** arguments, unsigned blocks, unsigned order)
// which runs the kernel with 256 threads a block, block after block. Between two barriers thread (i · (2 · order + 1)) mod 256
// runs as the i-th: results that depend on the order show a barrier that is missing. 1 is returned where some threads wait at a
// barrier that others never reach.
inline constexpr char kHostShim[] = R"(
#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include <ucontext.h>

#define __global__
#define __shared__ static
#define __launch_bounds__(threads)

namespace shim {

struct Index {
  unsigned x = 0;
};
Index thread_index, block_index, grid_extent;

constexpr unsigned kThreads = 256;
constexpr std::size_t kStack = 64 << 10;
ucontext_t scheduler, fibers[kThreads];
bool finished[kThreads];
std::vector<char> stacks;
std::function<void()> body;

void run_fiber() {
  body();
  finished[thread_index.x] = true;
  swapcontext(&fibers[thread_index.x], &scheduler);
}

// One block; whether all threads met at every barrier.
bool run_block(unsigned order) {
  stacks.resize(kStack * kThreads);
  for (unsigned t = 0; t < kThreads; ++t) {
    getcontext(&fibers[t]);
    fibers[t].uc_stack.ss_sp = stacks.data() + kStack * t;
    fibers[t].uc_stack.ss_size = kStack;
    fibers[t].uc_link = nullptr;
    makecontext(&fibers[t], run_fiber, 0);
    finished[t] = false;
  }
  for (;;) {
    unsigned ended = 0;
    for (unsigned i = 0; i < kThreads; ++i) {
      thread_index.x = i * (2 * order + 1) % kThreads;
      swapcontext(&scheduler, &fibers[thread_index.x]);
      ended += finished[thread_index.x];
    }
    if (ended == kThreads) return true;
    if (ended != 0) return false;
  }
}

template <class... Args>
int launch(void (*kernel)(Args...), void** arguments, unsigned blocks, unsigned order) {
  const auto call = [&]<std::size_t... k>(std::index_sequence<k...>) { kernel(*static_cast<Args*>(arguments[k])...); };
  body = [&] { call(std::index_sequence_for<Args...>()); };
  grid_extent.x = blocks;
  bool met = true;
  for (block_index.x = 0; block_index.x < blocks && met; ++block_index.x) met = run_block(order);
  return met ? 0 : 1;
}

}  // namespace shim

#define SWAGE_LAUNCHER(kernel)                                                               \
  extern "C" int launch_##kernel(void** arguments, unsigned blocks, unsigned order) {        \
    return shim::launch(kernel, arguments, blocks, order);                                   \
  }
#define threadIdx shim::thread_index
#define blockIdx shim::block_index
#define gridDim shim::grid_extent

inline void __syncthreads() { swapcontext(&shim::fibers[shim::thread_index.x], &shim::scheduler); }
inline int __ffsll(std::int64_t x) { return __builtin_ffsll(x); }
inline std::int32_t __float_as_int(float x) { return std::bit_cast<std::int32_t>(x); }
inline float __int_as_float(std::int32_t x) { return std::bit_cast<float>(x); }
inline std::int64_t __double_as_longlong(double x) { return std::bit_cast<std::int64_t>(x); }
inline double __longlong_as_double(std::int64_t x) { return std::bit_cast<double>(x); }
)";

}  // namespace swage::test
