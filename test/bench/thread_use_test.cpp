#include <bench/harness/thread_use.hpp>

#include <cstdlib>
#include <memory>
#include <sys/mman.h>
#include <thread>

#include <gtest/gtest.h>

namespace swage::bench {
namespace {

std::uint64_t allocations() { return thread_use().allocations.value_or(0); }

// Keeps the compiler from seeing that memory is freed unused.
void keep(void* data) { asm volatile("" : : "g"(data) : "memory"); }

class ThreadUseTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!thread_use().allocations) GTEST_SKIP() << "a sanitizer owns the allocator";
  }
};

TEST_F(ThreadUseTest, CountsEveryWayToAllocate) {
  const std::uint64_t before = allocations();
  const auto one = std::make_unique<int>(1);
  keep(one.get());
  EXPECT_EQ(allocations(), before + 1);
  void* data = std::malloc(10);
  keep(data);
  void* const longer = std::realloc(data, 1000);
  ASSERT_NE(longer, nullptr);
  keep(longer);
  std::free(longer);
  EXPECT_EQ(allocations(), before + 3);
  data = std::calloc(3, 4);
  keep(data);
  std::free(data);
  data = std::aligned_alloc(64, 128);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(data) % 64, 0U);
  std::free(data);
  ASSERT_EQ(posix_memalign(&data, 256, 100), 0);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(data) % 256, 0U);
  std::free(data);
  EXPECT_EQ(allocations(), before + 6);
  EXPECT_EQ(posix_memalign(&data, 24, 100), EINVAL);
}

TEST_F(ThreadUseTest, LeavesOtherThreadsOut) {
  std::thread other([] { keep(std::make_unique<int>(2).get()); });  // starting it allocates here
  const std::uint64_t before = allocations();
  other.join();
  EXPECT_EQ(allocations(), before);
}

TEST(ThreadUse, CountsPagesOnFirstTouch) {
  constexpr std::size_t kPages = 64, kPage = 4096;
  void* const mapped = mmap(nullptr, kPages * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(mapped, MAP_FAILED);
  madvise(mapped, kPages * kPage, MADV_NOHUGEPAGE);
  auto* const bytes = static_cast<volatile char*>(mapped);
  const std::uint64_t before = thread_use().minor_faults;
  for (std::size_t i = 0; i < kPages; ++i) bytes[i * kPage] = 1;
  EXPECT_GE(thread_use().minor_faults, before + kPages);
  munmap(mapped, kPages * kPage);
}

}  // namespace
}  // namespace swage::bench
