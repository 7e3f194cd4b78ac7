// The allocation functions of the C library are replaced for the whole executable by ones that count and hand on. Libraries
// loaded with it call these too, for the executable's symbols come first.
#include <bench/harness/thread_use.hpp>

#include <bit>
#include <cerrno>
#include <cstddef>
#include <sys/resource.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SWAGE_COUNTS_ALLOCATIONS 0
#else
#define SWAGE_COUNTS_ALLOCATIONS 1
#endif

namespace swage::bench {
namespace {

#if SWAGE_COUNTS_ALLOCATIONS
constinit thread_local std::uint64_t allocations = 0;
#endif

}  // namespace

ThreadUse thread_use() {
  ThreadUse use;
#if SWAGE_COUNTS_ALLOCATIONS
  use.allocations = allocations;
#endif
  rusage usage{};
  if (getrusage(RUSAGE_THREAD, &usage) == 0) use.minor_faults = static_cast<std::uint64_t>(usage.ru_minflt);
  return use;
}

}  // namespace swage::bench

#if SWAGE_COUNTS_ALLOCATIONS

using swage::bench::allocations;

extern "C" {

// glibc's own, exported for this purpose. NOLINTBEGIN(bugprone-reserved-identifier)
void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_realloc(void* data, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);
// NOLINTEND(bugprone-reserved-identifier)

void* malloc(std::size_t bytes) {
  ++allocations;
  return __libc_malloc(bytes);
}
void* calloc(std::size_t count, std::size_t bytes) {
  ++allocations;
  return __libc_calloc(count, bytes);
}
void* realloc(void* data, std::size_t bytes) {
  ++allocations;
  return __libc_realloc(data, bytes);
}
void* memalign(std::size_t alignment, std::size_t bytes) {
  ++allocations;
  return __libc_memalign(alignment, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) { return memalign(alignment, bytes); }
int posix_memalign(void** out, std::size_t alignment, std::size_t bytes) {
  if (alignment % sizeof(void*) != 0 || !std::has_single_bit(alignment)) return EINVAL;
  void* const data = memalign(alignment, bytes);
  if (!data) return ENOMEM;
  *out = data;
  return 0;
}

}  // extern "C"

#endif
