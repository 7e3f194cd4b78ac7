// `swage doctor`: what was found on this machine.
#include <dlfcn.h>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <oneapi/dnnl/dnnl.h>

#include <kernels/cpu/kernel_table.hpp>
#include <runtime/log/places.hpp>
#include <tools/cli/commands.hpp>
#include <tools/cli/machine.hpp>

namespace swage::tool {
namespace {

std::string vector_width() {
  const std::string isa = cpu_vector_isa();
  return isa == "avx512" ? "AVX-512, 16 floats at a time" : "AVX2, 8 floats at a time";
}

// Asks the driver, which is loaded for the purpose and not before.
std::string gpu() {
  void* driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!driver) return "none (no NVIDIA driver)";
  const auto call = [&]<class... Args>(const char* name, Args... args) {
    const auto function = reinterpret_cast<int (*)(Args...)>(dlsym(driver, name));
    return function && function(args...) == 0;
  };
  int devices = 0, device = 0;
  char name[256] = "";
  if (!call("cuInit", 0U) || !call("cuDeviceGetCount", &devices) || devices == 0) return "none (a driver without a device)";
  if (!call("cuDeviceGet", &device, 0) || !call("cuDeviceGetName", name, static_cast<int>(sizeof name), device))
    return "unknown";
  return fmt::format("{} (not used yet)", name);
}

void doctor() {
  const auto line = [](const char* name, const std::string& value) { fmt::print("{:<8} {}\n", name, value); };
  line("cpu", cpu_in_words());
  line("vectors", vector_width());
  line("llvm", SWAGE_LLVM_VERSION);
  const dnnl_version_t* dnnl = dnnl_version();
  line("onednn", fmt::format("{}.{}.{}", dnnl->major, dnnl->minor, dnnl->patch));
  line("gpu", gpu());
  line("cache", cache_summary());
  line("logs", runlog::folder().string());
}

}  // namespace

void add_doctor(CLI::App& app) { app.add_subcommand("doctor", "what was found on this machine")->callback(doctor); }

}  // namespace swage::tool
