// What the machine itself can do, measured with plain loops on one thread in the same run as the figures that are held against it.
#pragma once

#include <map>
#include <string>

namespace swage::bench {

struct Limits {
  double fma_gflops = 0;    // fused multiply-adds from registers, the widest vectors there are; one counts as two
  double sgemm_gflops = 0;  // the eager product of two 1,024 × 1,024 matrices (oneDNN)
  // GB/s, bytes read plus bytes written, on a working set of half a cache level ("l1", "l2", "l3") and of four times the last
  // ("memory", 512 MiB at most).
  std::map<std::string, double> copy_gbs;  // b[i] = a[i]
  std::map<std::string, double> axpy_gbs;  // c[i] = a[i] + 0.1·b[i]
  double timer_ns = 0;                     // one reading of the clock
  double add_ns = 0;  // one of many dependent additions of 16 floats: the least that an op of the figures computes
};

Limits measure_limits(bool quick);

}  // namespace swage::bench
