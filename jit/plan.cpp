#include <jit/plan.hpp>

#include <numeric>
#include <unordered_map>

#include <fmt/format.h>

#include <jit/memory_plan.hpp>
#include <jit/planted.hpp>
#include <runtime/core/error.hpp>
#include <runtime/core/planted_fault.hpp>
#include <runtime/core/thread_pool.hpp>
#include <runtime/engine/interpreter.hpp>

namespace swage::jit {
namespace {

// Addresses that move with the run: a storage from outside, or a view whose start is a slot.
struct MovingAddress {
  std::uint32_t slot;
  std::uint32_t origin;  // record whose offset counts
  std::int64_t storage;  // record, or -1 for the arena
  std::size_t arena_offset;
  std::int64_t element_size;
};
struct ArenaAddress {
  std::uint32_t slot;
  std::size_t offset;
};

struct GroupCall {
  GroupFunction function;
  std::uint32_t pointers, scalars;  // where its regions begin
  std::int64_t units, grain;
  bool parallel, split;
};

struct LibraryCall {
  Kernel kernel;
  KernelCheck check;
  RecordIndex record;
  KernelArgs args;
  std::uint32_t slots[4];  // of operands 0–2 and the result
  bool tensor[3];
  bool varies;  // has a scalar slot, a seed or an offset
};

class NativePlan final : public Plan {
 public:
  explicit NativePlan(const PlanParts& parts) : code_(parts.code), keys_(parts.trace->keys) {
    escapes_ = *parts.escapes;
    lay_out_arena(parts);
    const std::vector<RecordIndex> origins = offset_origins(*parts.trace);
    const Grouping& grouping = *parts.grouping;
    std::vector<std::size_t> order(grouping.groups.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    if (planted(PlantedFault::order)) swap_dependent(*parts.trace, grouping, order);
    for (std::size_t g : order) {
      if (grouping.groups[g].library)
        add_call(parts, origins, grouping.groups[g].records[0], static_cast<int>(g));
      else if (parts.groups[g].function)
        add_group(*parts.trace, parts.groups[g], partial_offsets_[g]);
    }
  }

  std::optional<CheckFailure> check(const PlanFrame& frame) override {
    if (checked_.empty()) return std::nullopt;
    bind(frame);
    for (std::uint32_t k : checked_) {
      LibraryCall& call = calls_[k];
      bind_call(call, frame);
      if (auto wrong = call.check(call.args)) return CheckFailure{call.record, std::move(*wrong)};
    }
    return std::nullopt;
  }

  void run(const PlanFrame& frame) override {
    bind(frame);
    for (std::uint32_t step : steps_) {
      if (step & kCallBit) {
        LibraryCall& call = calls_[step & ~kCallBit];
        bind_call(call, frame);
        call.kernel(call.args);
      } else {
        run_group(groups_[step]);
      }
    }
  }

 private:
  static constexpr std::uint32_t kCallBit = 1u << 31;

  void bind(const PlanFrame& frame) {
    char* arena = static_cast<char*>(frame.arena);
    if (arena != bound_arena_) {
      for (const ArenaAddress& address : fixed_) addresses_[address.slot] = arena + address.offset;
      bound_arena_ = arena;
    }
    for (const MovingAddress& address : moving_) {
      char* base = address.storage < 0 ? arena + address.arena_offset
                                       : static_cast<char*>(frame.storages[static_cast<std::size_t>(address.storage)]);
      const std::int64_t offset = has_offset(address.origin) ? frame.values[address.origin].offset : 0;
      addresses_[address.slot] = base + offset * address.element_size;
    }
    for (const auto& [slot, record] : scalar_slots_) scalars_[slot] = frame.values[record].scalar;
  }

  void bind_call(LibraryCall& call, const PlanFrame& frame) {
    for (int k = 0; k < 3; ++k)
      if (call.tensor[k]) call.args.operands[k].data = addresses_[call.slots[k]];
    call.args.result.data = addresses_[call.slots[3]];
    if (call.varies) {
      call.args.scalar = frame.values[call.record].scalar;
      call.args.offset = frame.values[call.record].offset;
    }
  }

  void run_group(const GroupCall& group) {
    void* const* pointers = addresses_.data() + group.pointers;
    const ScalarValue* scalars = scalars_.data() + group.scalars;
    if (!group.parallel) {
      group.function(pointers, scalars, 0, group.units);
    } else {
      parallel_for(group.units, group.grain, [&](std::int64_t begin, std::int64_t end, int) {
        if (begin < end) group.function(pointers, scalars, begin, end);
      });
    }
    if (group.split) group.function(pointers, scalars, -1, 0);
  }

  bool has_offset(RecordIndex origin) const {
    const Op op = keys_[origin].op;
    return op == Op::input || kind_of(op) == OpKind::view;
  }

  void lay_out_arena(const PlanParts& parts) {
    const Trace& trace = *parts.trace;
    arena_offsets_.assign(trace.size(), 0);
    std::vector<Lifetime> lifetimes;
    std::vector<RecordIndex> owners;
    for (RecordIndex s = 0; s < trace.size(); ++s) {
      if (trace.storages[s] != s || trace.is_input(s) || parts.escapes->test(s)) continue;
      if (parts.grouping->first_touch[s] < 0 || !parts.grouping->needs_buffer(s)) continue;
      const ViewDesc& desc = desc_of(trace.results[s]);
      lifetimes.push_back({static_cast<std::size_t>(desc.numel()) * size_of(desc.dtype), parts.grouping->first_touch[s],
                           parts.grouping->last_touch[s]});
      owners.push_back(s);
    }
    for (std::size_t g = 0; g < parts.groups.size(); ++g)
      if (parts.groups[g].partial_bytes > 0)
        lifetimes.push_back({parts.groups[g].partial_bytes, static_cast<int>(g), static_cast<int>(g)});
    const MemoryPlan plan = plan_memory(lifetimes);
    for (std::size_t k = 0; k < owners.size(); ++k) arena_offsets_[owners[k]] = plan.offsets[k];
    partial_offsets_.assign(parts.groups.size(), 0);
    for (std::size_t g = 0, k = owners.size(); g < parts.groups.size(); ++g)
      if (parts.groups[g].partial_bytes > 0) partial_offsets_[g] = plan.offsets[k++];
    arena_bytes_ = plan.bytes;
  }

  // A slot for the address of `origin`'s start in `storage`.
  std::uint32_t add_address(const Trace& trace, RecordIndex storage, RecordIndex origin, DType dtype) {
    const auto slot = static_cast<std::uint32_t>(addresses_.size());
    addresses_.push_back(nullptr);
    const bool outside = trace.is_input(storage) || escapes_.test(storage);
    if (!outside && !has_offset(origin)) {
      fixed_.push_back({slot, arena_offsets_[storage]});
    } else {
      moving_.push_back({slot, origin, outside ? static_cast<std::int64_t>(storage) : -1, arena_offsets_[storage],
                         static_cast<std::int64_t>(size_of(dtype))});
    }
    return slot;
  }

  void add_group(const Trace& trace, const GroupStep& step, std::size_t partial_offset) {
    GroupCall call{step.function,
                   static_cast<std::uint32_t>(addresses_.size()),
                   static_cast<std::uint32_t>(scalars_.size()),
                   step.units,
                   step.grain,
                   step.parallel,
                   step.partial_bytes > 0};
    for (const Binding::Place& place : step.binding->pointers) add_address(trace, place.storage, place.origin, place.dtype);
    if (call.split) {
      fixed_.push_back({static_cast<std::uint32_t>(addresses_.size()), partial_offset});
      addresses_.push_back(nullptr);
    }
    for (RecordIndex record : step.binding->scalars) {
      scalar_slots_.push_back({static_cast<std::uint32_t>(scalars_.size()), record});
      scalars_.emplace_back();
    }
    scalars_.insert(scalars_.end(), step.binding->constants.begin(), step.binding->constants.end());
    steps_.push_back(static_cast<std::uint32_t>(groups_.size()));
    groups_.push_back(call);
  }

  void add_call(const PlanParts& parts, const std::vector<RecordIndex>& origins, RecordIndex i, int g) {
    const Trace& trace = *parts.trace;
    const KeyHalf& key = keys_[i];
    LibraryCall call{};
    call.kernel = (*parts.kernels)[key.op];
    if (!call.kernel) throw CompileError(fmt::format("no kernel for {}", name_of(key.op)));
    call.record = i;
    call.args.key = &key;
    call.args.attribute = &attribute_of(key.attr);
    call.varies = kind_of(key.op) == OpKind::random;
    for (int k = 0; k < key.n_operands; ++k) {
      call.varies = call.varies || key.operands[k].ref == kScalarSlot;
      if (!key.operands[k].is_tensor()) continue;
      const RecordIndex value = trace.operand(i, k);
      const ViewDesc& desc = desc_of(trace.results[value]);
      call.tensor[k] = true;
      call.args.operands[k].desc = &desc;
      call.slots[k] = add_address(trace, trace.storages[value], origins[value], desc.dtype);
    }
    const ViewDesc& desc = desc_of(trace.results[i]);
    call.args.result.desc = &desc;
    call.slots[3] = add_address(trace, trace.storages[i], origins[i], desc.dtype);
    if (info(key.op).checked) {
      call.check = parts.kernels->check[static_cast<std::size_t>(key.op)];
      const RecordIndex index = trace.storages[trace.operand(i, 1)];
      const int written = parts.grouping->first_write[index];
      if (!trace.is_input(index) || (written >= 0 && written < g))
        throw CompileError(fmt::format("record {} ({}): its index is computed inside the trace", i, name_of(key.op)));
      if (call.check) checked_.push_back(static_cast<std::uint32_t>(calls_.size()));
    }
    steps_.push_back(static_cast<std::uint32_t>(calls_.size()) | kCallBit);
    calls_.push_back(call);
  }

  std::vector<std::shared_ptr<const CodePages>> code_;
  std::vector<KeyHalf> keys_;
  std::vector<std::size_t> arena_offsets_;    // by storage
  std::vector<std::size_t> partial_offsets_;  // by group
  std::vector<std::uint32_t> steps_;
  std::vector<GroupCall> groups_;
  std::vector<LibraryCall> calls_;
  std::vector<std::uint32_t> checked_;
  std::vector<ArenaAddress> fixed_;
  std::vector<MovingAddress> moving_;
  struct ScalarSlot {
    std::uint32_t slot;
    RecordIndex record;
  };
  std::vector<ScalarSlot> scalar_slots_;
  std::vector<void*> addresses_;
  std::vector<ScalarValue> scalars_;
  char* bound_arena_ = nullptr;
};

}  // namespace

std::unique_ptr<Plan> make_plan(const PlanParts& parts) {
  std::unique_ptr<Plan> plan = std::make_unique<NativePlan>(parts);
  return planted(PlantedFault::scalar) ? freeze_scalar(std::move(plan), *parts.trace) : std::move(plan);
}

}  // namespace swage::jit
