// Which stored code the plan of a stored trace runs, as a process that starts on it would find it.
#pragma once

#include <string>
#include <vector>

#include <jit/family.hpp>
#include <runtime/cache/stored_trace.hpp>

namespace swage::jit {

struct PlanCode {
  std::vector<std::string> here;  // names of entries
  std::size_t missing = 0;        // programs that code would have to be generated for
  std::string trouble;            // why the trace is not compiled at all
};

// By trace. Traces of one family share code: one is found with the help of another.
std::vector<PlanCode> code_of_plans(const EntryFolder& folder, const std::vector<StoredTrace>& traces);

}  // namespace swage::jit
