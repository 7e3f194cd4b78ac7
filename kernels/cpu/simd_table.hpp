// What the copies of kernels/cpu/simd (one for each instruction set) offer to the rest of the CPU kernels. Plain data and
// function pointers only: nothing here may be emitted by a compiler that uses AVX-512.
#pragma once

#include <cstdint>

#include <runtime/core/dtype.hpp>
#include <runtime/ops/op.hpp>

namespace swage {

// Rows of a pointwise op. Along a row the result is dense; an operand is dense or, where `fixed`, one element for the whole row.
struct PointwiseRun {
  char* out = nullptr;
  const char* in[3] = {};
  std::int64_t n = 0;  // elements a row
  std::int64_t rows = 1;
  std::int64_t out_row = 0;  // bytes from row to row
  std::int64_t in_row[3] = {};
  bool fixed[3] = {};
};
using PointwiseLoop = void (*)(const PointwiseRun&);

// `results` reductions of the same shape: result j reduces the elements at in + j·result_stride, over the index space of the
// reduced dimensions in row-major order. Strides in elements.
struct ReduceRun {
  const void* in = nullptr;
  void* out = nullptr;  // dense
  std::int64_t results = 1;
  std::int64_t result_stride = 0;
  std::int64_t count = 1;  // elements a result, at least 1
  int rank = 1;            // of the reduced dimensions, merged as far as possible; at least 1
  std::int64_t dims[8] = {};
  std::int64_t strides[8] = {};
};
struct ReduceLoops {
  void (*run)(const ReduceRun&) = nullptr;
  // One result only: the results of tree blocks [begin, end) into out, and the tree over block results (destroyed).
  void (*blocks)(const ReduceRun&, std::int64_t begin, std::int64_t end, void* out) = nullptr;
  void (*tree)(void* blocks, std::int64_t n, void* out) = nullptr;
};

// c = a·b (or c + a·b where `accumulate`), each element a chain of fma over ascending k. Strides in elements.
struct GemmRun {
  std::int64_t m = 0, n = 0, k = 0;
  const void* a = nullptr;
  std::int64_t a_row = 0, a_col = 0;
  const void* b = nullptr;
  std::int64_t b_row = 0, b_col = 0;
  void* c = nullptr;
  std::int64_t c_row = 0;  // rows are dense
  bool accumulate = false;
  void* scratch = nullptr;       // kGemmScratch bytes, 64-byte aligned: without them large products are slower
  const void* next_a = nullptr;  // operands of the caller's next product of this shape and layout, fetched meanwhile
  const void* next_b = nullptr;
};
// Whether scratch is used: for few rows the right operand is used too seldom to pack all of it first, and short chains are over
// before the next operands have come.
constexpr bool gemm_packs(std::int64_t m, std::int64_t k) { return m > 64 && k >= 32; }
inline constexpr std::int64_t kGemmColumnBytes = 480 * 4;  // of a row of the slice of b that is packed at once
inline constexpr std::size_t kGemmScratch = 256 * (kGemmColumnBytes + 16 * 8);

// Elements [begin, begin + n) of the sequence that `seed` names; `begin` is a multiple of 4.
struct RandomRun {
  std::uint64_t seed = 0;
  std::uint64_t begin = 0;
  std::int64_t n = 0;
  void* out = nullptr;
};

struct SimdTable {
  PointwiseLoop pointwise[kOps][kDTypes] = {};  // by the element type that is computed with
  PointwiseLoop cast[kDTypes][kDTypes] = {};    // from, to
  ReduceLoops reduce[kOps][kDTypes] = {};
  void (*gemm[kDTypes])(const GemmRun&) = {};
  // m = 1, a dense, columns of b dense: each element 16 chains of fma over k mod 16, added by halving.
  void (*dots[kDTypes])(const GemmRun&) = {};
  // out[r, j] = in[j, r], rows of `in` dense; none for bool. Row distances in elements.
  void (*transpose[kDTypes])(const void* in, std::int64_t in_row, std::int64_t rows, std::int64_t columns, void* out,
                             std::int64_t out_row) = {};
  void (*random[kOps][kDTypes])(const RandomRun&) = {};
};

// Whether a pointwise op computes with element type `dtype`: what its row in the op table says.
constexpr bool computes_with(Op op, DType dtype) {
  switch (info(op).dtypes) {
    case DTypeRule::arithmetic:
    case DTypeRule::compare:
    case DTypeRule::to_index: return dtype != DType::boolean;
    case DTypeRule::floating: return is_float(dtype);
    case DTypeRule::logical: return dtype == DType::boolean;
    case DTypeRule::any:
    case DTypeRule::select: return true;
    default: return false;
  }
}

namespace avx2 {
void fill(SimdTable& table);
}  // namespace avx2
namespace avx512 {
void fill(SimdTable& table);
}  // namespace avx512

const SimdTable& simd();  // the copy for this machine
// For tests that compare the copies: from now on simd() is the one named; false where this CPU cannot run it.
bool use_isa(const char* name);

}  // namespace swage
