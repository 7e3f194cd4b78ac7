// One op in a window, 64 bytes: a 32-byte key half, compared to recognise a trace, and a 32-byte value half with what changes
// from run to run, never compared.
#pragma once

#include <bit>
#include <cstdint>

#include <runtime/core/call_site.hpp>
#include <runtime/core/intern_table.hpp>
#include <runtime/core/value.hpp>
#include <runtime/ops/attributes.hpp>
#include <runtime/ops/op.hpp>

namespace swage {

// Record indices. A storage is named by the first record that stands for it: the op that produced it, or the first input
// record on it. Views and in-place writes share the storage of their operand 0.
using RecordIndex = std::uint32_t;

// A user's scalar, 8 bytes. The operand that refers to it says which member counts.
union ScalarValue {
  double real;
  std::int64_t integer;
};

// What an operand is. Tensors are named by distance: this record's index minus the producer's, always 1 or more, so that a
// part of a trace reads the same wherever it stands. A value from outside has an `input` record of its own.
inline constexpr std::int32_t kNoOperand = 0;
inline constexpr std::int32_t kScalarSlot = -1;  // the record's `scalar`; desc holds its class, DType::f64 or DType::i64
inline constexpr std::int32_t kLiteral = -2;     // the attribute's `real`; desc as above

struct OperandKey {
  std::int32_t ref = kNoOperand;
  DescId desc = 0;

  bool is_tensor() const { return ref > 0; }
  bool is_scalar() const { return ref < 0; }
  friend bool operator==(OperandKey, OperandKey) = default;
};

struct KeyHalf {
  enum Flags : std::uint8_t {
    kInPlace = 1,
    kAtOnce = 2,  // input records: borrowed or exposed memory; the trace is never compiled
  };

  Op op = Op::none;
  std::uint8_t n_operands = 0;
  std::uint8_t flags = 0;
  AttrId attr = 0;
  // input: operand 0 is {distance to the first input record on the same storage, or 0 if this is the first; descriptor}.
  OperandKey operands[3];

  bool in_place() const { return flags & kInPlace; }
  friend bool operator==(const KeyHalf& a, const KeyHalf& b) {
    const auto wa = std::bit_cast<Words>(a), wb = std::bit_cast<Words>(b);
    return ((wa.w[0] ^ wb.w[0]) | (wa.w[1] ^ wb.w[1]) | (wa.w[2] ^ wb.w[2]) | (wa.w[3] ^ wb.w[3])) == 0;
  }
  struct Words {
    std::uint64_t w[4];
  };
};

struct ValueHalf {
  Value* result = nullptr;  // weak, cleared when the value dies or a later record rewrites it; input records own theirs
  std::int64_t offset = 0;  // input and view records: elements from the start of the storage; random ops: Philox offset
  ScalarValue scalar{};     // the scalar slot; random ops: the seed
  CallSite site;
};

static_assert(sizeof(KeyHalf) == 32 && sizeof(ValueHalf) == 32);

// Mixes one key into a running hash.
inline std::uint64_t mix_key(std::uint64_t hash, const KeyHalf& key) {
  const auto words = std::bit_cast<KeyHalf::Words>(key);
  for (std::uint64_t word : words.w) hash = mix_word(hash, word);
  return hash;
}

}  // namespace swage
