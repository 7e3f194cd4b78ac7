#include <array>
#include <filesystem>

#include <bench/workloads/all.hpp>

namespace swage::bench {
namespace {

constexpr std::array<WorkloadInfo, 6> kWorkloads = {{
    {"seed_rnn", "one step of a recurrent network on fresh numbers, forward and backward", "steps", 5000, make_seed_rnn},
    {"mlp", "784-512-512-10, ReLU, batch 64, trained by --optimizer sgd or adam", "samples", 300, make_mlp},
    {"convnet", "3 x (convolution, batch norm, ReLU) on --image 32x32x3 or 8x8x1, batch 32", "samples", 60, make_convnet},
    {"pointwise", "tanh(ab + c) exp(-d^2) on 2^LOG2 elements (--log2)", "elements", 100, make_pointwise},
    {"chain", "100 dependent additions on 16 elements", "ops", 2000, make_chain},
    {"digits", "a convolutional network trained on handwritten digits, the demo", "samples", 600, make_digits},
}};

}  // namespace

// Where the build found the sources; else, in a tree that was moved, where they lie relative to build/bin/swage.
std::filesystem::path WorkloadOptions::default_data_folder() {
  std::error_code error;
  std::filesystem::path folder = SWAGE_BENCH_DATA;
  if (std::filesystem::is_directory(folder, error)) return folder;
  const auto binary = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? folder : binary.parent_path().parent_path().parent_path() / "bench" / "data";
}

std::span<const WorkloadInfo> workloads() { return kWorkloads; }

const WorkloadInfo* find_workload(std::string_view name) {
  for (const WorkloadInfo& info : kWorkloads)
    if (info.name == name) return &info;
  return nullptr;
}

}  // namespace swage::bench
