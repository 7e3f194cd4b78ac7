#include <jit/self_test.hpp>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include <fmt/format.h>

#include <jit/made_up.hpp>
#include <jit/sample.hpp>
#include <runtime/core/allocator.hpp>
#include <runtime/core/error.hpp>
#include <runtime/engine/interpreter.hpp>
#include <runtime/ops/inference.hpp>

namespace swage::jit {
namespace {

constexpr std::int64_t kWholeElements = 1 << 14;   // larger groups are tested on samples
constexpr std::int64_t kSampleElements = 1 << 12;  // of one sample
constexpr std::int64_t kLongReduction = 64;

// Not from the allocator of tensors: it would keep the memory, and pages that no sample touches cost nothing here.
struct Buffer {
  Buffer() = default;
  explicit Buffer(std::size_t size) {
    // Whole vectors are read past the end.
    data = ::operator new(size + kAlignment, std::align_val_t(kAlignment), std::nothrow);
    if (!data) throw CompileError(fmt::format("no memory for {} bytes", size));
  }
  Buffer(Buffer&& other) noexcept : data(std::exchange(other.data, nullptr)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data, other.data);
    return *this;
  }
  ~Buffer() { ::operator delete(data, std::align_val_t(kAlignment)); }
  void* data = nullptr;
};

template <class T>
using Raw = std::conditional_t<std::is_same_v<T, bool>, std::uint8_t, T>;

// Calls `f(offset, length, stride)` for each run along the last dimension of a box.
template <class F>
void each_run(const Dims& extents, const Dims& strides, std::int64_t start, F&& f) {
  const int last = extents.rank() - 1;
  if (last < 0) return f(start, std::int64_t{1}, std::int64_t{0});
  const std::int64_t runs = extents.product() / extents[last];
  for (std::int64_t run = 0; run < runs; ++run) {
    std::int64_t rest = run, offset = start;
    for (int d = last - 1; d >= 0; --d) {
      offset += rest % extents[d] * strides[d];
      rest /= extents[d];
    }
    f(offset, extents[last], strides[last]);
  }
}

std::int64_t dot(const Dims& index, const Dims& strides) {
  std::int64_t sum = 0;
  for (int d = 0; d < index.rank(); ++d) sum += index[d] * strides[d];
  return sum;
}

}  // namespace

// What a run of a group works on: every storage twice, for the interpreter and for the generated code.
struct SelfTest::Memory {
  explicit Memory(const SelfTest& test, const Group& group) : expected(test.trace_.size()), computed(test.trace_.size()) {
    storages.assign(test.trace_.size(), nullptr);
    const Trace& trace = test.trace_;
    for (RecordIndex i : group.records) {
      provide(trace.storages[i], test.bytes_);
      for (int k = 0; k < trace.keys[i].n_operands; ++k)
        if (trace.keys[i].operands[k].is_tensor()) provide(trace.storages[trace.operand(i, k)], test.bytes_);
    }
  }
  void provide(RecordIndex storage, const std::vector<std::size_t>& bytes) {
    if (storages[storage]) return;
    expected[storage] = Buffer(bytes[storage]);
    computed[storage] = Buffer(bytes[storage]);
    storages[storage] = expected[storage].data;
    used.push_back(storage);
  }
  std::vector<Buffer> expected, computed;
  std::vector<void*> storages;  // the expected ones
  std::vector<RecordIndex> used;
};

SelfTest::SelfTest(const Trace& trace, const KernelTable& kernels)
    : trace_(trace), kernels_(kernels), values_(trace.size()), bytes_(trace.size(), 0), origins_(offset_origins(trace)) {
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

std::optional<std::string> SelfTest::run(const Group& group, const BoundProgram& bound, GroupFunction function) const {
  const Space& space = group.space;
  const bool awkward = space.reduced == 0 || space.numel() / space.kept_numel() < kLongReduction;
  Memory memory(*this, group);
  if (space.numel() <= kWholeElements) return run_whole(group, bound, function, awkward, memory);
  const std::int64_t results = space.kept_numel();
  const Sample end = take_sample(space, bound, results - 1, kSampleElements);
  if (auto difference = run_sample(group, bound, function, awkward, end, memory)) return difference;
  const Sample inside = take_sample(space, bound, results / 3, kSampleElements);
  if (inside.first == end.first) return std::nullopt;
  return run_sample(group, bound, function, awkward, inside, memory);
}

void SelfTest::call(const BoundProgram& bound, GroupFunction function, std::int64_t begin, std::int64_t end,
                    const Memory& memory) const {
  std::vector<void*> pointers;
  pointers.reserve(bound.binding.pointers.size() + 1);
  for (const Binding::Place& place : bound.binding.pointers) {
    const auto start = result_offset(trace_, place.origin, values_) * static_cast<std::int64_t>(size_of(place.dtype));
    pointers.push_back(static_cast<char*>(memory.computed[place.storage].data) + start);
  }
  const Buffer partials(static_cast<std::size_t>(bound.program.partial_bytes()));
  if (bound.program.split) pointers.push_back(partials.data);
  std::vector<ScalarValue> scalars;
  scalars.reserve(bound.binding.scalars.size() + bound.binding.constants.size());
  for (RecordIndex i : bound.binding.scalars) scalars.push_back(values_[i].scalar);
  scalars.insert(scalars.end(), bound.binding.constants.begin(), bound.binding.constants.end());
  const std::int64_t grain = bound.program.grain();
  const std::int64_t middle = begin + (end - begin) / 2 / grain * grain;  // in two parts, as threads would
  if (middle > begin) function(pointers.data(), scalars.data(), begin, middle);
  if (end > middle) function(pointers.data(), scalars.data(), middle, end);
  if (bound.program.split) function(pointers.data(), scalars.data(), -1, 0);
}

std::string SelfTest::describe(RecordIndex storage, std::int64_t element) const {
  return fmt::format("storage {} ({}) differs at element {}", storage, name_of(trace_.keys[storage].op), element);
}

std::optional<std::string> SelfTest::run_whole(const Group& group, const BoundProgram& bound, GroupFunction function,
                                               bool awkward, const Memory& memory) const {
  for (RecordIndex storage : memory.used) {
    visit(desc_of(trace_.results[storage]).dtype, [&]<class T>(T) {
      MadeUp<T> contents(storage * 7919, awkward);
      for (std::size_t i = 0; i < bytes_[storage] / sizeof(T); ++i)
        static_cast<T*>(memory.expected[storage].data)[i] = contents.next();
    });
    std::memcpy(memory.computed[storage].data, memory.expected[storage].data, bytes_[storage]);
  }
  const Interpreter interpreter(kernels_);
  for (RecordIndex i : group.records) interpreter.run(trace_, i, values_, memory.storages);
  call(bound, function, 0, bound.program.units(), memory);

  for (const Store& store : bound.program.stores) {
    const RecordIndex storage = bound.binding.pointers[static_cast<std::size_t>(store.pointer)].storage;
    std::optional<std::string> difference;
    visit(desc_of(trace_.results[storage]).dtype, [&]<class T>(T) {
      const auto* want = static_cast<const Raw<T>*>(memory.expected[storage].data);
      const auto* got = static_cast<const Raw<T>*>(memory.computed[storage].data);
      for (std::size_t i = 0; i < bytes_[storage] / sizeof(T) && !difference; ++i)
        if (!same_bits(want[i], got[i])) difference = describe(storage, static_cast<std::int64_t>(i));
    });
    if (difference) return difference;
  }
  return std::nullopt;
}

std::optional<std::string> SelfTest::run_sample(const Group& group, const BoundProgram& bound, GroupFunction function,
                                                bool awkward, const Sample& sample, const Memory& memory) const {
  const Space& space = group.space;
  Attribute reduction;  // of every reduction, over the dimensions of the space
  reduction.ints.push_back(1);
  Dims rows = sample.extents;
  for (int d = 0; d < rows.rank(); ++d) {
    if (!space.is_reduced(d)) continue;
    rows[d] = 1;
    reduction.ints.push_back(d);
  }
  const auto start_of = [&](RecordIndex origin, const Dims& strides) {
    return result_offset(trace_, origin, values_) + dot(sample.begin, strides);
  };
  // The box as it lies in one operand's or result's memory.
  const auto view = [&](RecordIndex value, const Dims& dims, Level level, ViewDesc& desc) {
    const Access access = *access_of(trace_, origins_, value, dims, space, level);
    desc = {access.dtype, level == Level::row ? rows : sample.extents, access.strides};
    const auto bytes = start_of(access.origin, access.strides) * static_cast<std::int64_t>(size_of(access.dtype));
    return KernelView{static_cast<char*>(memory.expected[access.storage].data) + bytes, &desc};
  };
  const auto arguments = [&](RecordIndex i, ViewDesc* descs) {
    const KeyHalf& key = trace_.keys[i];
    const bool reduces = kind_of(key.op) == OpKind::reduction;
    const Dims& dims = extents_of(trace_, i);
    const Level level = *level_in(space, dims.product());
    KernelArgs args;
    args.key = &key;
    args.attribute = reduces ? &reduction : &attribute_of(key.attr);
    args.scalar = values_[i].scalar;
    args.offset = values_[i].offset;
    for (int k = 0; k < key.n_operands; ++k)
      if (key.operands[k].is_tensor())
        args.operands[k] = view(trace_.operand(i, k), key.op == Op::assign && k == 0 ? desc_of(trace_.results[i]).dims : dims,
                                level, descs[k]);
    args.result = view(i, desc_of(trace_.results[i]).dims, reduces ? Level::row : level, descs[3]);
    return args;
  };
  const auto fill = [&](RecordIndex storage, const KernelView& view) {
    auto* const expected = static_cast<char*>(memory.expected[storage].data);
    const auto distance = static_cast<char*>(memory.computed[storage].data) - expected;
    visit(view.desc->dtype, [&]<class T>(T) {
      MadeUp<T> contents(storage * 7919, awkward);
      each_run(view.desc->dims, view.desc->strides, 0, [&](std::int64_t offset, std::int64_t length, std::int64_t stride) {
        char* at = static_cast<char*>(view.data) + offset * static_cast<std::int64_t>(sizeof(T));
        for (std::int64_t i = 0; i < length; ++i, at += stride * static_cast<std::int64_t>(sizeof(T))) {
          const T value = contents.next();
          std::memcpy(at, &value, sizeof(T));
          std::memcpy(at + distance, &value, sizeof(T));
        }
      });
    });
  };

  ViewDesc descs[4];
  for (RecordIndex i : group.records) {
    const KernelArgs args = arguments(i, descs);
    for (int k = 0; k < args.key->n_operands; ++k)
      if (args.operands[k].data) fill(trace_.storages[trace_.operand(i, k)], args.operands[k]);
    fill(trace_.storages[i], args.result);
  }
  for (RecordIndex i : group.records) {
    KernelArgs args = arguments(i, descs);
    KeyHalf assignment = *args.key;
    if (assignment.op == Op::full) {  // its kernel knows only whole tensors
      assignment.op = Op::assign;
      assignment.n_operands = 2;
      assignment.operands[1] = assignment.operands[0];
      assignment.operands[0] = {1, trace_.results[i]};
      args.operands[0] = args.result;
      args.key = &assignment;
    }
    kernels_[args.key->op](args);
  }
  call(bound, function, sample.first_unit, sample.last_unit, memory);

  for (const Store& store : bound.program.stores) {
    const Binding::Place& place = bound.binding.pointers[static_cast<std::size_t>(store.pointer)];
    bool row_result = space.reduced != 0;
    for (int d = 0; d < rows.rank(); ++d) row_result = row_result && !(space.is_reduced(d) && place.strides[d] != 0);
    const Dims& box = row_result ? rows : sample.extents;
    std::optional<std::string> difference;
    visit(place.dtype, [&]<class T>(T) {
      const auto* want = static_cast<const Raw<T>*>(memory.expected[place.storage].data);
      const auto* got = static_cast<const Raw<T>*>(memory.computed[place.storage].data);
      std::vector<std::int64_t> positions;  // of the results, in the order of the walk below
      const std::int64_t step = box.rank() == 0 ? 0 : sample.steps[box.rank() - 1];
      each_run(box, sample.steps, dot(sample.begin, sample.steps),
               [&](std::int64_t first, std::int64_t, std::int64_t) { positions.push_back(first); });
      std::size_t run = 0;
      each_run(box, place.strides, start_of(place.origin, place.strides),
               [&](std::int64_t offset, std::int64_t length, std::int64_t stride) {
                 const std::int64_t first = positions[run++];
                 for (std::int64_t i = 0; i < length && !difference; ++i) {
                   const std::int64_t position = first + i * step, at = offset + i * stride;
                   if (position < sample.first || position >= sample.last) continue;
                   if (!same_bits(want[at], got[at])) difference = describe(place.storage, at);
                 }
               });
    });
    if (difference) return difference;
  }
  return std::nullopt;
}

}  // namespace swage::jit
