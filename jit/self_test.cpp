#include <jit/self_test.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>

#include <fmt/format.h>

#include <runtime/core/allocator.hpp>
#include <runtime/engine/interpreter.hpp>
#include <runtime/ops/inference.hpp>

namespace swage::jit {
namespace {

// Any fixed sequence will do: SplitMix64.
class Sequence {
 public:
  explicit Sequence(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }

 private:
  std::uint64_t state_;
};

template <class T>
T made_up(Sequence& sequence, bool specials) {
  const std::uint64_t bits = sequence.next();
  if constexpr (std::is_same_v<T, bool>) {
    return bits & 1;
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    if (bits % 64 == 0) return std::numeric_limits<T>::min();
    if (bits % 64 == 1) return std::numeric_limits<T>::max();
    return static_cast<T>(bits >> 8 & 31) - 16;
  } else {
    using Limits = std::numeric_limits<T>;
    static constexpr T kSpecial[] = {T(0),
                                     -T(0),
                                     Limits::infinity(),
                                     -Limits::infinity(),
                                     Limits::quiet_NaN(),
                                     Limits::denorm_min(),
                                     Limits::max(),
                                     -Limits::min() / 2};
    if (specials && bits % 32 == 0) return kSpecial[bits >> 8 & 7];
    const double unit = static_cast<double>(bits >> 11) * 0x1p-53;
    return static_cast<T>(bits % 16 == 1 ? (unit - 0.5) * 200 : unit * 4 - 2);
  }
}

template <class T>
bool same(T a, T b) {
  if constexpr (std::is_floating_point_v<T>)
    if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  return std::memcmp(&a, &b, sizeof(T)) == 0;
}

struct Buffer {
  Buffer() = default;
  explicit Buffer(std::size_t size) : bytes(size), data(allocate_buffer(size)) {}
  Buffer(Buffer&& other) noexcept : bytes(other.bytes), data(std::exchange(other.data, nullptr)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(bytes, other.bytes);
    std::swap(data, other.data);
    return *this;
  }
  ~Buffer() {
    if (data) free_buffer(data, bytes);
  }
  std::size_t bytes = 0;
  void* data = nullptr;
};

}  // namespace

SelfTest::SelfTest(const Trace& trace, const KernelTable& kernels)
    : trace_(trace), kernels_(kernels), values_(trace.size()), bytes_(trace.size(), 0) {
  Sequence sequence(trace.hash);
  for (RecordIndex i = 0; i < trace.size(); ++i) {
    const KeyHalf& key = trace.keys[i];
    if (key.op == Op::cut) continue;
    ValueHalf& value = values_[i];
    for (int k = 0; k < key.n_operands; ++k) {
      if (key.operands[k].ref != kScalarSlot) continue;
      if (static_cast<DType>(key.operands[k].desc) == DType::i64)
        value.scalar.integer = static_cast<std::int64_t>(sequence.next() % 9) - 4;
      else
        value.scalar.real = made_up<double>(sequence, false);
    }
    if (kind_of(key.op) == OpKind::view) {
      const RecordIndex base = trace.operand(i, 0);
      const ViewDesc& viewed = desc_of(trace.results[base]);
      const Attribute& attribute = attribute_of(key.attr);
      std::int64_t start = 0;
      if (key.op == Op::narrow) {
        const auto room = viewed.dims[static_cast<int>(attribute.ints[0])] - attribute.ints[1];
        start = static_cast<std::int64_t>(sequence.next() % static_cast<std::uint64_t>(room + 1));
      }
      value.offset = result_offset(trace, base, values_) + view_offset(key.op, attribute, viewed, start);
    }
    const ViewDesc& desc = desc_of(trace.results[i]);
    const auto end = static_cast<std::size_t>(result_offset(trace, i, values_) + desc.span_elements());
    std::size_t& bytes = bytes_[trace.storages[i]];
    bytes = std::max(bytes, end * size_of(desc.dtype));
  }
}

void SelfTest::fill(RecordIndex storage, void* data) const {
  Sequence sequence(trace_.hash + storage);
  visit(desc_of(trace_.results[storage]).dtype, [&]<class T>(T) {
    const std::size_t n = bytes_[storage] / sizeof(T);
    for (std::size_t i = 0; i < n; ++i) static_cast<T*>(data)[i] = made_up<T>(sequence, true);
  });
}

std::optional<std::string> SelfTest::run(const Group& group, const BoundProgram& bound, GroupFunction function) const {
  if (group.space.numel() > kSelfTestElements) return std::nullopt;
  std::vector<Buffer> expected(trace_.size()), computed(trace_.size());
  std::vector<void*> storages(trace_.size(), nullptr);
  const auto provide = [&](RecordIndex storage) {
    if (storages[storage]) return;
    expected[storage] = Buffer(bytes_[storage]);
    computed[storage] = Buffer(bytes_[storage]);
    fill(storage, expected[storage].data);
    std::memcpy(computed[storage].data, expected[storage].data, bytes_[storage]);
    storages[storage] = expected[storage].data;
  };
  for (RecordIndex i : group.records) {
    provide(trace_.storages[i]);
    for (int k = 0; k < trace_.keys[i].n_operands; ++k)
      if (trace_.keys[i].operands[k].is_tensor()) provide(trace_.storages[trace_.operand(i, k)]);
  }
  const Interpreter interpreter(kernels_);
  for (RecordIndex i : group.records) interpreter.run(trace_, i, values_, storages);

  std::vector<void*> pointers;
  for (const Binding::Place& place : bound.binding.pointers) {
    const auto start = result_offset(trace_, place.origin, values_) * static_cast<std::int64_t>(size_of(place.dtype));
    pointers.push_back(static_cast<char*>(computed[place.storage].data) + start);
  }
  std::vector<ScalarValue> scalars;
  for (RecordIndex i : bound.binding.scalars) scalars.push_back(values_[i].scalar);
  const std::int64_t units = bound.program.units(), grain = bound.program.grain();
  const std::int64_t middle = units / 2 / grain * grain;  // in two parts, as threads would
  if (middle > 0) function(pointers.data(), scalars.data(), 0, middle);
  if (units > middle) function(pointers.data(), scalars.data(), middle, units);

  for (const Store& store : bound.program.stores) {
    const RecordIndex storage = bound.binding.pointers[static_cast<std::size_t>(store.pointer)].storage;
    std::optional<std::string> difference;
    visit(desc_of(trace_.results[storage]).dtype, [&]<class T>(T) {
      using Raw = std::conditional_t<std::is_same_v<T, bool>, std::uint8_t, T>;
      const auto* want = static_cast<const Raw*>(expected[storage].data);
      const auto* got = static_cast<const Raw*>(computed[storage].data);
      for (std::size_t i = 0; i < bytes_[storage] / sizeof(T) && !difference; ++i)
        if (!same(want[i], got[i]))
          difference = fmt::format("storage {} ({}) differs at element {}: {} instead of {}", storage,
                                   name_of(trace_.keys[storage].op), i, got[i], want[i]);
    });
    if (difference) return difference;
  }
  return std::nullopt;
}

}  // namespace swage::jit
