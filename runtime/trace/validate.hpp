// Whether a trace that comes from outside, a log or a cache, is one that the engine could have made. What works on traces (the compiler,
// the interpreter, the inspector) relies on it.
#pragma once

#include <string>

#include <runtime/trace/trace.hpp>

namespace swage {

// What is wrong with the key of a record, its place in a trace apart; empty where nothing is. Its ids must be known here.
std::string what_is_wrong(const KeyHalf& key);

// With a trace of which keys and results are filled: operands that name no record, results that do not follow from the ops. Empty where nothing is.
std::string what_is_wrong(const Trace& trace);

// With the storages that outlive a window of this (completed) trace.
std::string what_is_wrong(const Trace& trace, const EscapeMask& escapes);

}  // namespace swage
