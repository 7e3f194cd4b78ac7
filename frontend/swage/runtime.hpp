// The engine, as a program may steer and watch it. Nothing here is needed to run.
#pragma once

#include <cstdint>

#include <runtime/core/allocator.hpp>
#include <runtime/core/thread_pool.hpp>
#include <runtime/engine/engine.hpp>
#include <runtime/engine/stream.hpp>

namespace swage {

// Ends a step where no optimizer does: everything pending on this thread is computed, and the engine takes what ran since the last
// end for one unit that may repeat. Optimisers do it by themselves.
void step();

// The random generator of this thread, to be kept and restored.
RandomState random_state();
void set_random_state(RandomState state);

// Counts of what the engine did so far; see EngineStats.
EngineStats stats();

// How far ops travel from now on (eager, traced or compiled); settles this thread's window first.
void set_tier(Tier tier);
Tier tier();

}  // namespace swage
