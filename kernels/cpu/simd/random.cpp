// Random numbers as kernels/random.hpp defines them: eight or four Philox counters at a time, 256 elements a round.
#include <kernels/random.hpp>

#include <kernels/cpu/simd/pointwise.hpp>

namespace swage::SWAGE_SIMD {
namespace {

using Words = Raw<std::uint64_t>;  // one 32-bit word in each 64-bit lane
constexpr int kCounters = kVectorBytes / 8;
constexpr int kChunk = 256;  // elements a round

Words all(std::uint64_t x) { return Words{} + x; }
Words product(Words a, std::uint64_t b) {
#ifdef __AVX512F__
  return reinterpret_cast<Words>(_mm512_mul_epu32(reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(all(b))));
#else
  return reinterpret_cast<Words>(_mm256_mul_epu32(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(all(b))));
#endif
}

// The four words of counters first … first + kCounters − 1, in the order of the sequence.
void philox(std::uint64_t seed, std::uint64_t first, std::uint32_t domain, std::uint32_t* out) {
  const Words low = all(0xffffffffu);
  Words counter = all(first);
  for (int i = 0; i < kCounters; ++i) counter[i] += static_cast<std::uint64_t>(i);
  Words c0 = counter & low, c1 = counter >> 32, c2 = all(domain), c3 = all(0);
  std::uint32_t k0 = static_cast<std::uint32_t>(seed), k1 = static_cast<std::uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const Words p0 = product(c0, 0xD2511F53u), p1 = product(c2, 0xCD9E8D57u);
    c0 = (p1 >> 32) ^ c1 ^ all(k0);
    c1 = p1 & low;
    c2 = (p0 >> 32) ^ c3 ^ all(k1);
    c3 = p0 & low;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  const Words first_half = c0 | c1 << 32, second_half = c2 | c3 << 32;
  for (int i = 0; i < kCounters; ++i) {
    const std::uint64_t pair[2] = {first_half[i], second_half[i]};
    __builtin_memcpy(out + 4 * i, pair, sizeof pair);
  }
}

float unit(const std::uint32_t* words, int i, float) {
  return static_cast<float>(static_cast<std::int32_t>(words[i] >> 8)) * 0x1p-24f;
}
double unit(const std::uint32_t* words, int i, double) {
  const std::uint64_t both = words[2 * i] | std::uint64_t{words[2 * i + 1]} << 32;
  return static_cast<double>(static_cast<std::int64_t>(both >> 11)) * 0x1p-53;
}

template <class V>
void uniform_chunk(std::uint64_t seed, std::uint64_t begin, typename V::Element* out) {
  using T = typename V::Element;
  constexpr int per_counter = 16 / static_cast<int>(sizeof(T));
  alignas(64) std::uint32_t words[kChunk * sizeof(T) / 4];
  for (int i = 0; i < kChunk; i += per_counter * kCounters)
    philox(seed, (begin + static_cast<std::uint64_t>(i)) / per_counter, sizeof(T) == 4 ? 0 : 1,
           words + static_cast<std::size_t>(i) * sizeof(T) / 4);
  for (int i = 0; i < kChunk; ++i) out[i] = unit(words, i, T{});
}

template <class V>
void normal_chunk(std::uint64_t seed, std::uint64_t begin, typename V::Element* out) {
  using T = typename V::Element;
  alignas(64) T uniform[kChunk], u[kChunk / 2], v[kChunk / 2];
  uniform_chunk<V>(seed, begin, uniform);
  for (int i = 0; i < kChunk / 2; ++i) u[i] = uniform[2 * i], v[i] = uniform[2 * i + 1];
  for (int i = 0; i < kChunk / 2; i += V::kLanes) {
    const auto pair = scalar::box_muller(V::load(u + i), V::load(v + i));
    pair.even.store(u + i);
    pair.odd.store(v + i);
  }
  for (int i = 0; i < kChunk / 2; ++i) out[2 * i] = u[i], out[2 * i + 1] = v[i];
}

template <class V, void (*chunk)(std::uint64_t, std::uint64_t, typename V::Element*)>
[[gnu::flatten]] void generate(const RandomRun& run) {
  using T = typename V::Element;
  T* out = static_cast<T*>(run.out);
  std::int64_t i = 0;
  for (; i + kChunk <= run.n; i += kChunk) chunk(run.seed, run.begin + static_cast<std::uint64_t>(i), out + i);
  if (i < run.n) {
    alignas(64) T last[kChunk];
    chunk(run.seed, run.begin + static_cast<std::uint64_t>(i), last);
    for (std::int64_t j = 0; i + j < run.n; ++j) out[i + j] = last[j];
  }
}

template <class V>
void fill_one(SimdTable& table, DType dtype) {
  table.random[static_cast<int>(Op::uniform)][static_cast<int>(dtype)] = generate<V, uniform_chunk<V>>;
  table.random[static_cast<int>(Op::normal)][static_cast<int>(dtype)] = generate<V, normal_chunk<V>>;
}

}  // namespace

void fill_random(SimdTable& table) {
  fill_one<F32>(table, DType::f32);
  fill_one<F64>(table, DType::f64);
}

}  // namespace swage::SWAGE_SIMD
