#include <atomic>
#include <cstdlib>
#include <string_view>

#include <kernels/cpu/kernel_table.hpp>
#include <kernels/cpu/simd_table.hpp>
#include <runtime/core/error.hpp>

namespace swage {
namespace {

bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}

struct Copy {
  const char* name;
  SimdTable table;
};

// Only the copy that is asked for is filled: the code that fills a table is itself built for its instruction set.
const Copy* avx2_copy() {
  static const Copy* const made = [] {
    auto* copy = new Copy{"avx2", {}};
    avx2::fill(copy->table);
    return copy;
  }();
  return made;
}
const Copy* avx512_copy() {
  static const Copy* const made = [] {
    auto* copy = new Copy{"avx512", {}};
    avx512::fill(copy->table);
    return copy;
  }();
  return made;
}
const Copy* copy_for(std::string_view name) { return name == "avx512" ? avx512_copy() : avx2_copy(); }

const Copy* choose() {
  const char* wish = std::getenv("SWAGE_ISA");
  const std::string_view wanted = wish ? wish : "";
  if (!wanted.empty() && wanted != "avx2" && wanted != "avx512")
    raise<ValueError>({}, "SWAGE_ISA is avx2 or avx512, not '{}'", wanted);
  if (!has_avx2()) raise<ValueError>({}, "swage needs a CPU with AVX2 and FMA");
  if (wanted == "avx512" && !has_avx512()) raise<ValueError>({}, "SWAGE_ISA=avx512, but this CPU has no AVX-512");
  return copy_for(has_avx512() && wanted != "avx2" ? "avx512" : "avx2");
}

// Null until the first use.
std::atomic<const Copy*> chosen = nullptr;

const Copy& current() {
  const Copy* copy = chosen.load(std::memory_order_acquire);
  if (!copy) [[unlikely]]
    chosen.store(copy = choose(), std::memory_order_release);
  return *copy;
}

}  // namespace

const SimdTable& simd() { return current().table; }
const char* cpu_vector_isa() { return current().name; }

bool use_isa(const char* name) {
  const std::string_view wanted = name;
  if (wanted == "avx512" ? !has_avx512() : !has_avx2()) return false;
  chosen.store(copy_for(wanted), std::memory_order_release);
  return true;
}

}  // namespace swage
