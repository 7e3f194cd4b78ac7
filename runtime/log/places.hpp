// Where runs leave their logs. SWAGE_LOG=PATH names the file; `off` means none, and `memory` that all is logged as ever, where only the
// process itself can read it (tests). By default it is run-PID.swagelog in a private folder, of which the latest are kept.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace swage::runlog {

// $XDG_RUNTIME_DIR/swage, else swage-UID in the temporary directory.
std::filesystem::path folder();
std::filesystem::path file_of(const std::string& pid);
// Logs in the folder, latest first.
std::vector<std::filesystem::path> list();

// Where this process is to write its log; empty where it is not. Makes the folder, and sweeps it of the oldest logs beyond 32 or 256 MiB,
// but for those of living processes.
std::filesystem::path own_file();
bool wanted_in_memory();

}  // namespace swage::runlog
