#include <jit/planted.hpp>

#include <algorithm>
#include <optional>

namespace swage::jit {
namespace {

bool reads_what_is_written(const Trace& trace, const Group& writer, const Group& reader) {
  return std::ranges::any_of(reader.records, [&](RecordIndex i) {
    const KeyHalf& key = trace.keys[i];
    for (int k = 0; k < key.n_operands; ++k) {
      if (!key.operands[k].is_tensor()) continue;
      const RecordIndex storage = trace.storages[trace.operand(i, k)];
      if (std::ranges::any_of(writer.records, [&](RecordIndex j) { return trace.storages[j] == storage; })) return true;
    }
    return false;
  });
}

class FrozenScalar final : public Plan {
 public:
  FrozenScalar(std::unique_ptr<Plan> plan, RecordIndex record) : plan_(std::move(plan)), record_(record) {
    escapes_ = plan_->escapes();
    arena_bytes_ = plan_->arena_bytes();
  }
  std::optional<CheckFailure> check(const PlanFrame& frame) override { return plan_->check(frame); }
  void run(const PlanFrame& frame) override {
    std::vector<ValueHalf> values(frame.values.begin(), frame.values.end());
    if (!first_) first_ = values[record_].scalar;
    values[record_].scalar = *first_;
    PlanFrame frozen = frame;
    frozen.values = values;
    plan_->run(frozen);
  }

 private:
  std::unique_ptr<Plan> plan_;
  RecordIndex record_;
  std::optional<ScalarValue> first_;
};

}  // namespace

void swap_dependent(const Trace& trace, const Grouping& grouping, std::vector<std::size_t>& order) {
  for (std::size_t k = 0; k + 1 < order.size(); ++k) {
    if (!reads_what_is_written(trace, grouping.groups[order[k]], grouping.groups[order[k + 1]])) continue;
    std::swap(order[k], order[k + 1]);
    return;
  }
}

std::unique_ptr<Plan> freeze_scalar(std::unique_ptr<Plan> plan, const Trace& trace) {
  for (RecordIndex i = 0; i < trace.size(); ++i)
    for (int k = 0; k < trace.keys[i].n_operands; ++k)
      if (trace.keys[i].operands[k].ref == kScalarSlot) return std::make_unique<FrozenScalar>(std::move(plan), i);
  return plan;
}

}  // namespace swage::jit
