// Logs to begin with: small, so that a second sees many, and with everything in them that a log can hold.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace swage::log_fuzz {

// Of a few small programs, each run in a process of its own, and of one that does by hand what programs seldom do. Rings are cut down
// to the events they hold. Raises IoError where a run left none.
std::vector<std::string> make_corpus(const std::filesystem::path& folder);

}  // namespace swage::log_fuzz
