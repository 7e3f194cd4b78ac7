#include <kernels/cpu/fill.hpp>

#include <algorithm>

#include <kernels/cpu/layout.hpp>
#include <kernels/cpu/simd_table.hpp>
#include <runtime/core/thread_pool.hpp>

namespace swage {
namespace {

constexpr std::int64_t kParallelElements = 16384;

}  // namespace

void run_iota(const KernelArgs& args) {
  const ViewDesc& desc = *args.result.desc;
  const std::int64_t n = elements(desc);
  if (n == 0) return;
  const int dim = static_cast<int>(args.attribute->ints[0]);
  const std::int64_t extent = desc.rank() == 0 ? 1 : desc.dims[dim];
  std::int64_t inner = 1;
  for (int d = dim + 1; d < desc.rank(); ++d) inner *= desc.dims[d];
  visit(desc.dtype, [&]<class T>(T) {
    T* out = static_cast<T*>(args.result.data);
    for (std::int64_t outer = 0; outer < n / (extent * inner); ++outer)
      for (std::int64_t i = 0; i < extent; ++i, out += inner) std::fill(out, out + inner, static_cast<T>(i));
  });
}

void run_random(const KernelArgs& args) {
  const ViewDesc& desc = *args.result.desc;
  const auto generate = simd().random[static_cast<int>(args.key->op)][static_cast<int>(desc.dtype)];
  const auto size = static_cast<std::int64_t>(size_of(desc.dtype));
  RandomRun run;
  run.seed = static_cast<std::uint64_t>(args.scalar.integer);
  run.begin = static_cast<std::uint64_t>(args.offset);
  run.n = elements(desc);
  run.out = args.result.data;
  if (run.n < kParallelElements || num_threads() == 1) return generate(run);
  parallel_for(run.n, 1024, [&](std::int64_t begin, std::int64_t end, int) {
    RandomRun part = run;
    part.begin += static_cast<std::uint64_t>(begin);
    part.n = end - begin;
    part.out = static_cast<char*>(run.out) + begin * size;
    generate(part);
  });
}

}  // namespace swage
