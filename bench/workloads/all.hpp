// The makers of all workloads; registry.cpp lists them.
#pragma once

#include <bench/harness/workload.hpp>

namespace swage::bench {

std::unique_ptr<Workload> make_seed_rnn(const WorkloadOptions& options);
std::unique_ptr<Workload> make_mlp(const WorkloadOptions& options);
std::unique_ptr<Workload> make_convnet(const WorkloadOptions& options);
std::unique_ptr<Workload> make_pointwise(const WorkloadOptions& options);
std::unique_ptr<Workload> make_chain(const WorkloadOptions& options);
std::unique_ptr<Workload> make_digits(const WorkloadOptions& options);

}  // namespace swage::bench
