// The gradient rules: one row per differentiable primitive, keyed by Op. A rule is the vector-Jacobian product, written with the
// ordinary tensor functions, so that it is recorded like anything else and can be differentiated again.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include <swage/autograd/node.hpp>
#include <swage/tensor.hpp>

namespace swage::autograd {

inline constexpr std::uint8_t kReads0 = 1, kReads1 = 2, kReads2 = 4, kSavesResult = 8;

// What a rule sees.
class RuleContext {
 public:
  RuleContext(Node& node, const Tensor& grad_output) : node_(node), grad_(grad_output) {}

  const Tensor& grad() const { return grad_; }  // the gradient of the result
  bool is_tensor(int k) const { return node_.scalars[static_cast<std::size_t>(k)].ref == kNoOperand; }
  Tensor tensor(int k) const;  // a saved operand; raises AutogradError if it was changed since
  Scalar scalar(int k) const;  // a scalar operand
  Tensor result() const;       // the saved result
  const Attribute& attribute() const { return attribute_of(node_.attr); }
  const ViewDesc& operand_desc(int k) const { return desc_of(node_.edge_of_operand[static_cast<std::size_t>(k)].desc); }
  const ViewDesc& result_desc() const { return desc_of(node_.result_desc); }
  std::int64_t start() const { return node_.start; }

 private:
  Node& node_;
  const Tensor& grad_;
};

struct Rule {
  // Bits of what the gradient of operand k reads: operands (kReads…) and the result.
  std::array<std::uint8_t, 3> reads{};
  // The gradient of operand k; any shape that broadcasting sums back to the operand's. Undefined means zero.
  Tensor (*gradient)(const RuleContext& context, int k) = nullptr;
};

using RuleTable = std::array<Rule, kOps>;
extern std::atomic<const RuleTable*> rule_table;  // null until the first use
const RuleTable& make_rule_table();
inline const Rule& rule_of(Op op) {
  const RuleTable* table = rule_table.load(std::memory_order_acquire);
  if (!table) [[unlikely]]
    table = &make_rule_table();
  return (*table)[static_cast<std::size_t>(op)];
}

// The parts of the table.
void add_pointwise_rules(RuleTable& table);
void add_reduction_rules(RuleTable& table);
void add_contraction_rules(RuleTable& table);
void add_view_and_index_rules(RuleTable& table);

// Sums broadcast dimensions so that `gradient` gets the shape `sizes`.
Tensor sum_to(const Tensor& gradient, const Dims& sizes);

}  // namespace swage::autograd
