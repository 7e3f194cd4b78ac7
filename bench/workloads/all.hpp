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
std::unique_ptr<Workload> make_lennard_jones(const WorkloadOptions& options);
std::unique_ptr<Workload> make_lstm_lm(const WorkloadOptions& options);
std::unique_ptr<Workload> make_transformer(const WorkloadOptions& options);
std::unique_ptr<Workload> make_softmax(const WorkloadOptions& options);
std::unique_ptr<Workload> make_layer_norm(const WorkloadOptions& options);
std::unique_ptr<Workload> make_gelu(const WorkloadOptions& options);
std::unique_ptr<Workload> make_sum(const WorkloadOptions& options);
std::unique_ptr<Workload> make_axpy(const WorkloadOptions& options);
std::unique_ptr<Workload> make_adam_update(const WorkloadOptions& options);
std::unique_ptr<Workload> make_novel(const WorkloadOptions& options);
std::unique_ptr<Workload> make_stochastic_depth(const WorkloadOptions& options);
std::unique_ptr<Workload> make_tagger(const WorkloadOptions& options);
std::unique_ptr<Workload> make_char_tagger(const WorkloadOptions& options);
std::unique_ptr<Workload> make_rnnlm(const WorkloadOptions& options);
std::unique_ptr<Workload> make_ragged_attention(const WorkloadOptions& options);
std::unique_ptr<Workload> make_treelstm(const WorkloadOptions& options);
std::unique_ptr<Workload> make_maml(const WorkloadOptions& options);
std::unique_ptr<Workload> make_reroute(const WorkloadOptions& options);
std::unique_ptr<Workload> make_growing(const WorkloadOptions& options);
std::unique_ptr<Workload> make_memory(const WorkloadOptions& options);
std::unique_ptr<Workload> make_online(const WorkloadOptions& options);
std::unique_ptr<Workload> make_tree_fc(const WorkloadOptions& options);
std::unique_ptr<Workload> make_moe(const WorkloadOptions& options);
std::unique_ptr<Workload> make_varlen(const WorkloadOptions& options);
std::unique_ptr<Workload> make_agent(const WorkloadOptions& options);
std::unique_ptr<Workload> make_drive(const WorkloadOptions& options);

}  // namespace swage::bench
