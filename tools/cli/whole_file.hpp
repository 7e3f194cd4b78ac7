// Files for others to read, written whole or not at all.
#pragma once

#include <filesystem>
#include <string_view>

namespace swage::tool {

// Replaces what was there. UsageError where the folder is not there, the name is that of something else than a file ("-" is none), or it
// cannot be written; then what was there stays.
void write_whole(const std::filesystem::path& file, std::string_view content);

}  // namespace swage::tool
