// Stop and go: the whole state of a run in one safetensors file. The workload's tensors by their names; its words, the random
// generator, the number of steps done and the running digest in the file's metadata.
#pragma once

#include <cstdint>
#include <filesystem>

#include <bench/harness/workload.hpp>

namespace swage::bench {

struct RunProgress {
  std::int64_t steps = 0;    // done so far, over all processes
  std::uint64_t digest = 0;  // of these steps
};

void save_run(const std::filesystem::path& path, std::string_view name, Workload& workload, RunProgress progress);
// Restores the workload and the random generator. Raises IoError where the file is not a run of the workload of that name.
RunProgress load_run(const std::filesystem::path& path, std::string_view name, Workload& workload);

}  // namespace swage::bench
