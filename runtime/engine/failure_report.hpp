// What is printed when the engine finds a bug of its own: the window that led there.
#pragma once

#include <string>

namespace swage {

// The calling thread's window so far, in the text form of traces; empty outside a window.
std::string window_text();
// From now on `fail` prints it before the process stops.
void report_windows_on_failure();

}  // namespace swage
