// The ground under the ground: descriptors, allocation, threads, call sites, inference.
#include <atomic>
#include <chrono>
#include <cstring>
#include <numeric>
#include <set>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <runtime/core/allocator.hpp>
#include <runtime/core/error.hpp>
#include <runtime/core/thread_pool.hpp>
#include <runtime/ops/inference.hpp>
#include <runtime/ops/reduction_tree.hpp>

namespace swage {
namespace {

ViewDesc desc(DType dtype, const Dims& dims) { return {dtype, dims, contiguous_strides(dims)}; }

TEST(ViewDesc, InterningGivesEqualDescriptorsOneId) {
  const DescId a = intern(DType::f32, {2, 3});
  EXPECT_EQ(a, intern(desc(DType::f32, {2, 3})));
  EXPECT_NE(a, intern(DType::f64, {2, 3}));
  EXPECT_NE(a, intern({DType::f32, {2, 3}, {1, 2}}));
  EXPECT_EQ(desc_of(a), desc(DType::f32, {2, 3}));
}

TEST(ViewDesc, InterningIsThreadSafe) {
  std::vector<std::vector<DescId>> ids(4);
  std::vector<std::thread> threads;
  for (auto& mine : ids)
    threads.emplace_back([&mine] {
      for (std::int64_t i = 0; i < 3000; ++i) mine.push_back(intern(DType::i64, {i, 77}));
    });
  for (std::thread& thread : threads) thread.join();
  for (const auto& mine : ids) EXPECT_EQ(mine, ids[0]);
  EXPECT_EQ(std::set<DescId>(ids[0].begin(), ids[0].end()).size(), 3000u);
}

TEST(ViewDesc, KnowsWhetherElementsShareMemory) {
  EXPECT_FALSE(desc(DType::f32, {4, 5}).overlaps_itself());
  EXPECT_FALSE((ViewDesc{DType::f32, {5, 4}, {1, 5}}).overlaps_itself());
  EXPECT_TRUE((ViewDesc{DType::f32, {5, 4}, {0, 1}}).overlaps_itself());
  EXPECT_TRUE((ViewDesc{DType::f32, {3, 3}, {2, 1}}).overlaps_itself());
  EXPECT_FALSE((ViewDesc{DType::f32, {0, 4}, {0, 0}}).overlaps_itself());
  EXPECT_EQ((ViewDesc{DType::f32, {5, 4}, {1, 5}}).span_elements(), 20);
}

TEST(Dims, BroadcastAlignsAtTheRight) {
  Dims result;
  EXPECT_TRUE(broadcast({4, 1, 3}, {5, 1}, result));
  EXPECT_EQ(result, (Dims{4, 5, 3}));
  EXPECT_TRUE(broadcast({}, {0, 2}, result));
  EXPECT_EQ(result, (Dims{0, 2}));
  EXPECT_FALSE(broadcast({2, 3}, {2}, result));
}

TEST(Allocator, BuffersAreAlignedLargeEnoughAndReused) {
  for (std::size_t bytes : {0u, 1u, 64u, 65u, 256u, 257u, 320u, 321u, 511u, 512u, 513u, 4096u, 5000u, 1000003u, 5000011u}) {
    void* data = allocate_buffer(bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(data) % kAlignment, 0u);
    std::memset(data, 1, bytes);
    free_buffer(data, bytes);
    const auto before = memory_stats().system_allocations;
    EXPECT_EQ(allocate_buffer(bytes), data);
    EXPECT_EQ(memory_stats().system_allocations, before);
    free_buffer(data, bytes);
  }
}

TEST(Allocator, CountsLiveAndPeakBytes) {
  const auto before = memory_stats().live_bytes;
  reset_peak_memory();
  void* data = allocate_buffer(1 << 20);
  EXPECT_GE(memory_stats().live_bytes, before + (1 << 20));
  free_buffer(data, 1 << 20);
  EXPECT_EQ(memory_stats().live_bytes, before);
  EXPECT_GE(memory_stats().peak_bytes, before + (1 << 20));
}

TEST(Allocator, RefusesWhatNoMachineHolds) {
  EXPECT_THROW(allocate_buffer(std::size_t{1} << 60), MemoryError);
  EXPECT_THROW(allocate_buffer(std::size_t{1} << 45), MemoryError);
}

TEST(ThreadPool, CoversTheExtentOnceInGrains) {
  for (int threads : {1, 2, 3}) {
    set_num_threads(threads);
    for (std::int64_t extent : {0, 1, 7, 64, 1000}) {
      std::vector<std::atomic<int>> seen(static_cast<std::size_t>(extent));
      parallel_for(extent, 16, [&](std::int64_t begin, std::int64_t end, int worker) {
        EXPECT_LT(worker, threads);
        EXPECT_EQ(begin % 16, 0);
        for (std::int64_t i = begin; i < end; ++i) ++seen[static_cast<std::size_t>(i)];
      });
      for (const auto& count : seen) EXPECT_EQ(count, 1);
    }
  }
  set_num_threads(1);
}

// Whoever claims a part runs it, once: jobs in quick succession, and jobs that find the workers asleep.
TEST(ThreadPool, EveryPartRunsOnceWhateverTheWorkersDo) {
  for (int threads : {2, 4}) {
    set_num_threads(threads);
    std::vector<std::atomic<int>> runs(static_cast<std::size_t>(threads));
    for (int job = 1; job <= 3000; ++job) {
      if (job % 300 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      parallel_for(threads, 1, [&](std::int64_t begin, std::int64_t, int worker) {
        EXPECT_EQ(begin, worker);
        ++runs[static_cast<std::size_t>(worker)];
      });
      for (const auto& count : runs) ASSERT_EQ(count, job);
    }
  }
  set_num_threads(1);
}

TEST(ThreadPool, AParallelRegionDoesNotFanOutAgain) {
  set_num_threads(2);
  std::atomic<int> inner{0};
  parallel_for(2, 1, [&](std::int64_t, std::int64_t, int) {
    EXPECT_TRUE(inside_parallel_region());
    parallel_for(100, 1, [&](std::int64_t begin, std::int64_t end, int) { inner += static_cast<int>(end - begin); });
  });
  EXPECT_EQ(inner, 200);
  EXPECT_FALSE(inside_parallel_region());
  set_num_threads(1);
  EXPECT_THROW(set_num_threads(0), ValueError);
}

[[gnu::noinline]] std::string raise_here() {
  try {
    raise<ShapeError>(caller(), "[op] no");
  } catch (const ShapeError& error) {
    return error.what();
  }
}

TEST(CallSite, NamesTheUsersFileAndLine) {
  const int line = __LINE__ + 1;
  const std::string text = raise_here();
  EXPECT_NE(text.find("core_test.cpp:" + std::to_string(line)), std::string::npos) << text;
}

TEST(CallSite, TheOutermostEntryCounts) {
  const int here = 0, inner = 0;
  const SiteScope outer(CallSite{&here});
  const SiteScope nested(CallSite{&inner});
  EXPECT_EQ(SiteScope::or_else(CallSite{&inner}).address, &here);
}

std::string inference_error(Op op, Attribute attribute, std::vector<ViewDesc> descs, bool in_place = false) {
  std::vector<OperandType> operands;
  for (const ViewDesc& d : descs) operands.push_back({&d, DType::f64});
  try {
    infer(op, attribute, operands, in_place, {});
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

Attribute ints(std::vector<std::int64_t> values) {
  Attribute attribute;
  attribute.ints = std::move(values);
  return attribute;
}

TEST(Inference, ErrorsNameTheOpTheShapesAndWhatWouldBeRight) {
  const auto f = [](const Dims& dims) { return desc(DType::f32, dims); };
  EXPECT_EQ(inference_error(Op::add, {}, {f({2, 3}), f({4})}),
            "[add] shapes 2×3 and 4 do not broadcast: aligned at the right, extents must be equal or 1");
  EXPECT_EQ(inference_error(Op::matmul, {}, {f({2, 3}), f({4, 5})}),
            "[matmul] cannot multiply 2×3 by 4×5: the right operand must have 3 rows");
  EXPECT_EQ(inference_error(Op::add, {}, {f({2}), desc(DType::f64, {2})}),
            "[add] operands must have one element type, not f32 and f64");
  EXPECT_EQ(inference_error(Op::exp, {}, {desc(DType::i64, {2})}), "[exp] takes f32 or f64, not i64");
  EXPECT_EQ(inference_error(Op::add, {}, {f({3}), f({2, 3})}, true),
            "[add_] cannot write a result of shape 2×3 into a tensor of shape 3");
  EXPECT_NE(inference_error(Op::add, {}, {{DType::f32, {2, 3}, {0, 1}}, f({3})}, true).find("clone it first"),
            std::string::npos);
  EXPECT_NE(inference_error(Op::amax, ints({0, 1}), {f({2, 0})}).find("no value over no elements"), std::string::npos);
  EXPECT_NE(inference_error(Op::reshape, ints({5}), {f({2, 3})}).find("6"), std::string::npos);
  EXPECT_NE(inference_error(Op::expand, ints({2, 4}), {f({2, 3})}).find("does not expand"), std::string::npos);
  EXPECT_NE(inference_error(Op::permute, ints({0, 0}), {f({2, 3})}).find("once"), std::string::npos);
  EXPECT_NE(inference_error(Op::conv2d, ints({1, 1, 0, 0}), {f({1, 3, 8, 8}), f({4, 2, 3, 3})}).find("3 input channels"),
            std::string::npos);
  EXPECT_NE(inference_error(Op::conv2d, ints({1, 1, 0, 0}), {f({1, 3, 2, 2}), f({4, 3, 3, 3})}).find("does not fit"),
            std::string::npos);
  EXPECT_NE(inference_error(Op::gather, ints({0}), {f({2, 3}), f({2, 3})}).find("i64 index"), std::string::npos);
  EXPECT_NE(inference_error(Op::sum, ints({0, 5}), {f({2, 3})}).find("out of range"), std::string::npos);
  EXPECT_NE(inference_error(Op::add, {}, {f({2})}).find("takes 2 operands"), std::string::npos);
}

TEST(Inference, GivesTheShapesThatUsersExpect) {
  const ViewDesc image = desc(DType::f32, {2, 3, 8, 8}), weight = desc(DType::f32, {4, 3, 3, 3});
  const std::vector<OperandType> conv{{&image, {}}, {&weight, {}}};
  EXPECT_EQ(infer(Op::conv2d, ints({2, 2, 1, 1}), conv, false, {}).dims, (Dims{2, 4, 4, 4}));
  const std::vector<OperandType> one{{&image, {}}};
  EXPECT_EQ(infer(Op::sum, ints({0, 0, 2, 3}), one, false, {}).dims, (Dims{3}));
  EXPECT_EQ(infer(Op::sum, ints({1, 0, 2, 3}), one, false, {}).dims, (Dims{1, 3, 1, 1}));
  EXPECT_EQ(infer(Op::argmax, ints({0, 1}), one, false, {}).dtype, DType::i64);
  EXPECT_EQ(infer(Op::permute, ints({1, 0, 2, 3}), one, false, {}).strides, (Dims{64, 192, 8, 1}));
  const std::vector<OperandType> scalar{{&image, {}}, {nullptr, DType::i64}};
  EXPECT_EQ(infer(Op::lt, {}, scalar, false, {}).dtype, DType::boolean);
}

TEST(Inference, ReshapesWithoutACopyWhereStridesAllow) {
  Dims strides;
  const ViewDesc transposed{DType::f32, {4, 6}, {1, 4}};
  EXPECT_FALSE(reshape_strides(transposed, {24}, strides));
  EXPECT_TRUE(reshape_strides(transposed, {4, 2, 3}, strides));
  EXPECT_EQ(strides, (Dims{1, 12, 4}));
  EXPECT_TRUE(reshape_strides(transposed, {2, 2, 6, 1}, strides));
  EXPECT_EQ(strides[0], 2);
  EXPECT_EQ(strides[2], 4);
  const ViewDesc rows{DType::f32, {3, 4}, {8, 1}};
  EXPECT_FALSE(reshape_strides(rows, {12}, strides));
  EXPECT_TRUE(reshape_strides(rows, {3, 2, 2}, strides));
  EXPECT_EQ(strides, (Dims{8, 2, 1}));
  EXPECT_TRUE(reshape_strides({DType::f32, {1, 1}, {5, 9}}, {}, strides));
}

TEST(ReductionTree, IsTheOneThatIsDocumented) {
  const auto sum = [](double a, double b) { return a + b; };
  const auto identity = [](std::int64_t i) { return static_cast<double>(i); };
  for (std::int64_t n : {1, 2, 15, 16, 17, 33, 1023, 1024, 1025, 5000})
    EXPECT_EQ(reduce_reference<double>(n, identity, sum), static_cast<double>(n) * static_cast<double>(n - 1) / 2) << n;
  // The shape of the tree, written as text.
  const auto text = [](std::int64_t i) { return std::to_string(i); };
  const auto pair = [](const std::string& a, const std::string& b) { return "(" + a + " " + b + ")"; };
  EXPECT_EQ(reduce_reference<std::string>(3, text, pair), "((0 2) 1)");
  EXPECT_EQ(reduce_reference<std::string>(5, text, pair), "(((0 4) 2) (1 3))");
}

}  // namespace
}  // namespace swage
