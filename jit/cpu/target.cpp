#include <jit/cpu/target.hpp>

#include <cstdlib>

namespace swage::jit {
namespace {

constexpr const char* kAvx2 = "+avx,+avx2,+fma,+f16c,+bmi,+bmi2,+lzcnt,+popcnt,+movbe,+sse4.2,+cx16";
constexpr const char* kAvx512 = ",+avx512f,+avx512dq,+avx512bw,+avx512vl,+avx512cd";

bool wants_avx512() {
  const bool has = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                   __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  const char* asked = std::getenv("SWAGE_ISA");
  return has && !(asked && std::string_view(asked) == "avx2");
}

}  // namespace

const Target& code_target() {
  static const Target target = [] {
    const bool avx512 = wants_avx512();
    return Target{avx512, std::string(kAvx2) + (avx512 ? kAvx512 : "")};
  }();
  return target;
}

}  // namespace swage::jit
