// SWAGE_DEBUG=1…4: what the engine decides, in words on stderr while the program runs. Each level has those before it.
//
//   1  what is not compiled, or no longer: failures, refusals, storms, plans that do not pay; and remarks
//   2  windows that ran op by op though they might have run compiled: the field that differed, and the line
//   3  decisions: what was kept, compiled, adopted, predicted, loaded
//   4  windows that ran as plans, counted; and of each new plan its records, and why neighbours were not fused
//
// A thread of its own reads the event log every tenth of a second, so no op waits for what is printed; what is left is printed at exit.
#pragma once

namespace swage {

// Reads the variable; does nothing where it is not set. Once, before the first op.
void start_debug_report();

}  // namespace swage
