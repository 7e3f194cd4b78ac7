// Changes to a log: some as damage does them, some as a program gone wrong or a malicious one would, with all sums right.
#pragma once

#include <random>
#include <string>
#include <vector>

#include <test/log_fuzz/layout.hpp>

namespace swage::log_fuzz {

using Random = std::mt19937_64;

// `logs`: taken apart; parts of one may end up in another.
std::string mutated(const std::vector<Log>& logs, Random& random);

}  // namespace swage::log_fuzz
