// Small programs with one known illness each, and healthy ones: what `swage trace advice` says of their runs is tested. The line that is
// to blame ends in "// ill".
#pragma once

namespace swage::inspector {

// Whether the program goes on: for less than a second.
bool running();

void borrowed_memory();
void branch_on_data();
void changing_axis();
void forgotten_gradients();
void growing_cat();
void healthy_training();
void healthy_evaluation();
void host_read_in_loop();
void no_no_grad();
void piling_results();
void plan_that_cannot_pay();
void too_large_a_trace();
void unordered_ops();
void write_between();

}  // namespace swage::inspector
