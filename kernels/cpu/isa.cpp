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

struct Choice {
  SimdTable table;
  const char* name = "avx2";

  Choice() {
    const char* wish = std::getenv("SWAGE_ISA");
    const std::string_view wanted = wish ? wish : "";
    if (!wanted.empty() && wanted != "avx2" && wanted != "avx512")
      raise<ValueError>({}, "SWAGE_ISA is avx2 or avx512, not '{}'", wanted);
    if (!has_avx2()) raise<ValueError>({}, "swage needs a CPU with AVX2 and FMA");
    if (wanted == "avx512" && !has_avx512()) raise<ValueError>({}, "SWAGE_ISA=avx512, but this CPU has no AVX-512");
    if (has_avx512() && wanted != "avx2") {
      name = "avx512";
      avx512::fill(table);
    } else {
      avx2::fill(table);
    }
  }
};

const Choice& choice() {
  static const Choice* const made = new Choice;
  return *made;
}

}  // namespace

const SimdTable& simd() {
  static const SimdTable& table = choice().table;
  return table;
}
const char* cpu_vector_isa() { return choice().name; }

}  // namespace swage
