// How long compiling and loading take, as the event log tells it.
#pragma once

#include <optional>

namespace swage::bench {

// The median over `traces` distinct traces of `n` pointwise ops each; none if one was not compiled.
std::optional<double> compile_ms(int n, int traces);

// The median over as many traces of `n` ops of putting a plan together from code on disk; none where the cache is off.
std::optional<double> load_ms(int n, int traces);

// The first `n` records of a step of the workload `transformer`, compiled from nothing `times` times.
std::optional<double> compile_transformer_ms(int n, int times);

}  // namespace swage::bench
