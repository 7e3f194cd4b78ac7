// Transposition in registers.
#pragma once

#include <kernels/cpu/simd/vec.hpp>

namespace swage::SWAGE_SIMD {

// `out` = transpose of the 8×8 (f32) or 4×4 (f64) square at `in`.
inline void transpose_square(const float* in, std::int64_t in_row, float* out, std::int64_t out_row) {
  __m256 r[8], s[8];
  for (int i = 0; i < 8; ++i) r[i] = _mm256_loadu_ps(in + i * in_row);
  for (int i = 0; i < 4; ++i) {
    s[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
    s[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
  }
  for (int i = 0; i < 2; ++i) {
    r[4 * i] = _mm256_shuffle_ps(s[4 * i], s[4 * i + 2], 0x44);
    r[4 * i + 1] = _mm256_shuffle_ps(s[4 * i], s[4 * i + 2], 0xee);
    r[4 * i + 2] = _mm256_shuffle_ps(s[4 * i + 1], s[4 * i + 3], 0x44);
    r[4 * i + 3] = _mm256_shuffle_ps(s[4 * i + 1], s[4 * i + 3], 0xee);
  }
  for (int i = 0; i < 4; ++i) {
    _mm256_storeu_ps(out + i * out_row, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
    _mm256_storeu_ps(out + (i + 4) * out_row, _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
  }
}
inline void transpose_square(const double* in, std::int64_t in_row, double* out, std::int64_t out_row) {
  __m256d r[4], s[4];
  for (int i = 0; i < 4; ++i) r[i] = _mm256_loadu_pd(in + i * in_row);
  for (int i = 0; i < 2; ++i) {
    s[2 * i] = _mm256_unpacklo_pd(r[2 * i], r[2 * i + 1]);
    s[2 * i + 1] = _mm256_unpackhi_pd(r[2 * i], r[2 * i + 1]);
  }
  _mm256_storeu_pd(out, _mm256_permute2f128_pd(s[0], s[2], 0x20));
  _mm256_storeu_pd(out + out_row, _mm256_permute2f128_pd(s[1], s[3], 0x20));
  _mm256_storeu_pd(out + 2 * out_row, _mm256_permute2f128_pd(s[0], s[2], 0x31));
  _mm256_storeu_pd(out + 3 * out_row, _mm256_permute2f128_pd(s[1], s[3], 0x31));
}

// out[r, j] = in[j, r] for r < rows, j < columns: the rows of `in` are dense and `in_row` elements apart.
template <class T>
void transpose(const T* in, std::int64_t in_row, std::int64_t rows, std::int64_t columns, T* out, std::int64_t out_row) {
  constexpr int square = 32 / static_cast<int>(sizeof(T));
  std::int64_t j = 0;
  for (; j + square <= columns; j += square) {
    std::int64_t r = 0;
    for (; r + square <= rows; r += square) transpose_square(in + j * in_row + r, in_row, out + r * out_row + j, out_row);
    for (; r < rows; ++r)
      for (std::int64_t jj = j; jj < j + square; ++jj) out[r * out_row + jj] = in[jj * in_row + r];
  }
  for (; j < columns; ++j)
    for (std::int64_t r = 0; r < rows; ++r) out[r * out_row + j] = in[j * in_row + r];
}

}  // namespace swage::SWAGE_SIMD
