// The faults of runtime/core/planted_fault.hpp that are planted around a plan rather than inside the compiler.
#pragma once

#include <memory>
#include <vector>

#include <jit/fusion.hpp>
#include <runtime/engine/plan.hpp>

namespace swage::jit {

// Fault `order`: the first two neighbours of which one reads what the other writes change places.
void swap_dependent(const Trace& trace, const Grouping& grouping, std::vector<std::size_t>& order);

// Fault `scalar`: a plan whose first scalar slot keeps the value of the first run.
std::unique_ptr<Plan> freeze_scalar(std::unique_ptr<Plan> plan, const Trace& trace);

}  // namespace swage::jit
