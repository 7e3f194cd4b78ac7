// The state of models, optimisers and data in one list, for workloads that train.
#pragma once

#include <bench/harness/workload.hpp>

namespace swage::bench {

void add_state(WorkloadState& state, const nn::Module& model);
void add_state(WorkloadState& state, const optim::Optimizer& optimizer);
void add_state(WorkloadState& state, const data::Batches& batches);

// The counterparts. They raise ValueError or ShapeError where the state does not fit.
void load_state(const WorkloadState& state, const nn::Module& model);
void load_state(const WorkloadState& state, optim::Optimizer& optimizer);
void load_state(const WorkloadState& state, data::Batches& batches);
std::uint64_t word(const WorkloadState& state, std::string_view name);

}  // namespace swage::bench
