// How long compiling in the background can make a program wait.
#pragma once

#include <optional>

namespace swage::bench {

// Runs short compiled steps for `seconds` without and for as long with compilations going on all the time. In µs: the 99.9th
// percentile of the time from one step's start to the next one's, with less without. New traces are fed to the compiler between
// steps, outside these times. None where no plan came to run.
std::optional<double> pause_us(double seconds);

}  // namespace swage::bench
