#include <kernels/cpu/reduce.hpp>

#include <algorithm>
#include <cstring>

#include <kernels/cpu/layout.hpp>
#include <kernels/cpu/simd_table.hpp>
#include <runtime/core/thread_pool.hpp>
#include <runtime/ops/reduction_tree.hpp>

namespace swage {
namespace {

constexpr std::int64_t kParallelElements = 65536;

struct Dimensions {
  int rank = 0;
  std::int64_t dims[kMaxRank];
  std::int64_t strides[kMaxRank];

  // Dimensions come in logical order; one that continues the last one is merged into it.
  void add(std::int64_t extent, std::int64_t stride) {
    if (extent == 1) return;
    if (rank > 0 && strides[rank - 1] == extent * stride) {
      dims[rank - 1] *= extent;
      strides[rank - 1] = stride;
    } else {
      dims[rank] = extent;
      strides[rank++] = stride;
    }
  }
};

// Results [begin, end) of all, in runs along the innermost kept dimension.
void reduce_range(const ReduceRun& shape, const Dimensions& kept, const ReduceLoops& loops, std::int64_t size,
                  std::int64_t out_size, std::int64_t begin, std::int64_t end) {
  const int last = kept.rank - 1;
  for (std::int64_t j = begin; j < end;) {
    std::int64_t rest = j, at = 0, left = end - j;
    for (int d = last; d >= 0; --d) {
      const std::int64_t index = rest % kept.dims[d];
      rest /= kept.dims[d];
      at += index * kept.strides[d];
      if (d == last) left = std::min(left, kept.dims[d] - index);
    }
    ReduceRun run = shape;
    run.in = static_cast<const char*>(shape.in) + at * size;
    run.out = static_cast<char*>(shape.out) + j * out_size;
    run.results = kept.rank == 0 ? 1 : left;
    run.result_stride = kept.rank == 0 ? 0 : kept.strides[last];
    loops.run(run);
    j += run.results;
  }
}

void reduce_in_blocks(const ReduceRun& run, const ReduceLoops& loops, std::int64_t size) {
  const std::int64_t blocks = (run.count + kReductionBlock - 1) / kReductionBlock;
  const Scratch partial(static_cast<std::size_t>(blocks * size));
  parallel_for(blocks, 4, [&](std::int64_t begin, std::int64_t end, int) {
    loops.blocks(run, begin, end, partial.as<char>() + begin * size);
  });
  loops.tree(partial.as<void>(), blocks, run.out);
}

}  // namespace

void run_reduction(const KernelArgs& args) {
  const ViewDesc& desc = *args.operands[0].desc;
  const std::vector<std::int64_t>& ints = args.attribute->ints;
  std::uint32_t reduced_dims = 0;
  for (std::size_t i = 1; i < ints.size(); ++i) reduced_dims |= 1u << ints[i];

  Dimensions kept, reduced;
  std::int64_t results = 1;
  ReduceRun run;
  for (int d = 0; d < desc.rank(); ++d) {
    const bool is_reduced = reduced_dims >> d & 1;
    (is_reduced ? run.count : results) *= desc.dims[d];
    (is_reduced ? reduced : kept).add(desc.dims[d], desc.strides[d]);
  }
  if (results == 0) return;
  const auto size = static_cast<std::int64_t>(size_of(desc.dtype));
  const auto out_size = static_cast<std::int64_t>(size_of(args.result.desc->dtype));
  if (run.count == 0) {  // only a sum may be of nothing
    std::memset(args.result.data, 0, static_cast<std::size_t>(results * out_size));
    return;
  }
  if (reduced.rank == 0) {
    reduced.rank = 1;
    reduced.dims[0] = reduced.strides[0] = 1;
  }
  run.in = args.operands[0].data;
  run.out = args.result.data;
  run.rank = reduced.rank;
  std::copy(reduced.dims, reduced.dims + reduced.rank, run.dims);
  std::copy(reduced.strides, reduced.strides + reduced.rank, run.strides);

  const ReduceLoops& loops = simd().reduce[static_cast<int>(args.key->op)][static_cast<int>(desc.dtype)];
  const bool parallel = run.count * results >= kParallelElements && num_threads() > 1;
  if (parallel && results < 2 * num_threads() && loops.blocks != nullptr && run.count >= 8 * kReductionBlock) {
    for (std::int64_t j = 0; j < results; ++j) {
      ReduceRun one = run;
      std::int64_t rest = j, at = 0;
      for (int d = kept.rank - 1; d >= 0; --d) {
        at += rest % kept.dims[d] * kept.strides[d];
        rest /= kept.dims[d];
      }
      one.in = static_cast<const char*>(run.in) + at * size;
      one.out = static_cast<char*>(run.out) + j * out_size;
      reduce_in_blocks(one, loops, size);
    }
  } else if (parallel) {
    // Neighbouring results share cache lines: hand them out in lines.
    const std::int64_t grain = results >= 64 * num_threads() ? 16 : 1;
    parallel_for(results, grain, [&](std::int64_t begin, std::int64_t end, int) {
      reduce_range(run, kept, loops, size, out_size, begin, end);
    });
  } else {
    reduce_range(run, kept, loops, size, out_size, 0, results);
  }
}

}  // namespace swage
