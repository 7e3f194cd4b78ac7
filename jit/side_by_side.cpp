#include <jit/side_by_side.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <random>
#include <type_traits>

#include <fmt/format.h>

#include <runtime/core/allocator.hpp>
#include <runtime/engine/interpreter.hpp>
#include <runtime/ops/inference.hpp>

namespace swage::jit {
namespace {

template <class T>
bool same(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
    using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
    return std::bit_cast<Bits>(a) == std::bit_cast<Bits>(b);
  } else {
    return a == b;
  }
}

// Storages, those first whose last write comes first.
std::vector<RecordIndex> by_last_write(const Trace& trace) {
  std::vector<RecordIndex> order, written(trace.size());
  for (RecordIndex i = 0; i < trace.size(); ++i) {
    if (trace.storages[i] == i || trace.keys[i].in_place()) written[trace.storages[i]] = i;
    if (trace.storages[i] == i) order.push_back(i);
  }
  std::ranges::stable_sort(order, {}, [&](RecordIndex s) { return written[s]; });
  return order;
}

}  // namespace

std::string difference(const Trace& trace, RecordIndex storage, const void* want, const void* got, std::size_t bytes) {
  std::string text;
  visit(desc_of(trace.results[storage]).dtype, [&]<class T>(T) {
    using Raw = std::conditional_t<std::is_same_v<T, bool>, std::uint8_t, T>;
    for (std::size_t i = 0; i < bytes / sizeof(Raw) && text.empty(); ++i) {
      const Raw a = static_cast<const Raw*>(want)[i], b = static_cast<const Raw*>(got)[i];
      if (!same(a, b)) text = fmt::format("storage {} element {}: {} instead of {}", storage, i, b, a);
    }
  });
  return text;
}

Inputs::Inputs(const Trace& trace, std::uint64_t seed) : values(trace.size()), contents(trace.size()) {
  std::mt19937_64 random(seed);
  const auto real = [&](bool specials) {
    static const double kSpecial[] = {0.0, -0.0, INFINITY, -INFINITY, NAN, 1e-310, 1e-40, 1e300};
    if (specials && random() % 40 == 0) return kSpecial[random() % 8];
    return std::uniform_real_distribution<double>(-3, 3)(random);
  };
  std::vector<std::size_t> elements(trace.size(), 0);
  std::vector<std::int64_t> index_bound(trace.size(), 0);
  for (RecordIndex i = 0; i < trace.size(); ++i) {
    const KeyHalf& key = trace.keys[i];
    if (key.op == Op::cut) continue;
    if (key.op == Op::input) values[i].offset = static_cast<std::int64_t>(random() % 3);
    if (kind_of(key.op) == OpKind::random) {
      values[i].scalar.integer = static_cast<std::int64_t>(random() % 1000);
      values[i].offset = static_cast<std::int64_t>(random() % 100) * 4;
    }
    for (int k = 0; key.op != Op::input && k < key.n_operands; ++k) {
      if (key.operands[k].ref != kScalarSlot) continue;
      if (static_cast<DType>(key.operands[k].desc) == DType::i64)
        values[i].scalar.integer = static_cast<std::int64_t>(random() % 7) - 3;
      else
        values[i].scalar.real = real(false);
    }
    if (kind_of(key.op) == OpKind::view) {
      const RecordIndex base = trace.operand(i, 0);
      const ViewDesc& viewed = desc_of(trace.results[base]);
      const Attribute& attribute = attribute_of(key.attr);
      std::int64_t start = 0;
      if (key.op == Op::narrow)
        start = static_cast<std::int64_t>(
            random() % static_cast<std::uint64_t>(viewed.dims[static_cast<int>(attribute.ints[0])] - attribute.ints[1] + 1));
      values[i].offset = result_offset(trace, base, values) + view_offset(key.op, attribute, viewed, start);
    }
    if (info(key.op).checked)
      index_bound[trace.storages[trace.operand(i, 1)]] =
          desc_of(trace.results[trace.operand(i, 0)]).dims[static_cast<int>(attribute_of(key.attr).ints[0])];
    const auto end = result_offset(trace, i, values) + desc_of(trace.results[i]).span_elements();
    elements[trace.storages[i]] = std::max(elements[trace.storages[i]], static_cast<std::size_t>(end));
  }
  for (RecordIndex s = 0; s < trace.size(); ++s) {
    if (trace.storages[s] != s || trace.keys[s].op == Op::cut) continue;
    visit(desc_of(trace.results[s]).dtype, [&]<class T>(T) {
      contents[s].resize(elements[s] * sizeof(T));
      for (std::size_t e = 0; e < elements[s]; ++e) {
        T value;
        if constexpr (std::is_floating_point_v<T>)
          value = static_cast<T>(real(true));
        else if constexpr (std::is_same_v<T, bool>)
          value = random() & 1;
        else
          value = index_bound[s] ? static_cast<T>(random() % static_cast<std::uint64_t>(index_bound[s]))
                                 : static_cast<T>(random() % 21) - 10;
        std::memcpy(contents[s].data() + e * sizeof(T), &value, sizeof(T));
      }
    });
  }
}

Buffers::Buffers(const Inputs& inputs) : data(inputs.contents.size(), nullptr) {
  for (std::size_t i = 0; i < data.size(); ++i) {
    sizes.push_back(inputs.contents[i].size());
    data[i] = allocate_buffer(sizes[i] + 1);
    std::ranges::copy(inputs.contents[i], static_cast<std::uint8_t*>(data[i]));
  }
}

Buffers::~Buffers() {
  for (std::size_t i = 0; i < data.size(); ++i) free_buffer(data[i], sizes[i] + 1);
}

std::optional<Difference> compare_with_interpreter(const Trace& trace, Plan& plan, const KernelTable& kernels,
                                                   std::uint64_t seed) {
  struct Arena {
    explicit Arena(std::size_t n) : bytes(n + 1), data(allocate_buffer(bytes)) { std::memset(data, 0xFF, bytes); }
    ~Arena() { free_buffer(data, bytes); }
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;
    std::size_t bytes;
    void* data;
  };
  const Arena arena(plan.arena_bytes());
  const Interpreter interpreter(kernels);
  for (std::uint64_t run = 0; run < 2; ++run) {
    const Inputs inputs(trace, seed * 2 + run);
    const Buffers expected(inputs), computed(inputs);
    for (RecordIndex i = 0; i < trace.size(); ++i) interpreter.run(trace, i, inputs.values, expected.data);
    std::vector<void*> storages(trace.size(), nullptr);
    for (RecordIndex s = 0; s < trace.size(); ++s)
      if (trace.storages[s] == s && (trace.is_input(s) || plan.escapes().test(s))) storages[s] = computed.data[s];
    const PlanFrame frame{inputs.values, storages, arena.data};
    if (const auto failure = plan.check(frame))
      return Difference{static_cast<RecordIndex>(trace.size()), "check: " + failure->message};
    plan.run(frame);
    for (const RecordIndex s : by_last_write(trace)) {
      if (!storages[s]) continue;
      std::string words = difference(trace, s, expected.data[s], computed.data[s], computed.sizes[s]);
      if (!words.empty()) return Difference{s, std::move(words)};
    }
  }
  return std::nullopt;
}

}  // namespace swage::jit
