#include <runtime/core/call_site.hpp>

#include <cstdint>
#include <dlfcn.h>
#include <filesystem>
#include <mutex>
#include <unistd.h>

#include <elfutils/libdwfl.h>
#include <fmt/format.h>

namespace swage {
namespace {

// A description of this process's modules for libdw, made at first use; libraries loaded later are not in it.
Dwfl* modules() {
  static Dwfl* const dwfl = []() -> Dwfl* {
    static char* no_debug_path = nullptr;
    static const Dwfl_Callbacks callbacks = {dwfl_linux_proc_find_elf, dwfl_standard_find_debuginfo,
                                             dwfl_offline_section_address, &no_debug_path};
    Dwfl* made = dwfl_begin(&callbacks);
    if (!made) return nullptr;
    if (dwfl_linux_proc_report(made, getpid()) != 0 || dwfl_report_end(made, nullptr, nullptr) != 0) {
      dwfl_end(made);
      return nullptr;
    }
    return made;
  }();
  return dwfl;
}

}  // namespace

std::string describe(CallSite site) {
  if (!site.known()) return "unknown place";
  static std::mutex mutex;
  std::lock_guard lock(mutex);
  // A return address is the instruction after the call.
  const auto address = reinterpret_cast<std::uintptr_t>(site.address) - 1;
  if (Dwfl* dwfl = modules()) {
    if (Dwfl_Module* module = dwfl_addrmodule(dwfl, address)) {
      if (Dwfl_Line* line = dwfl_module_getsrc(module, address)) {
        int number = 0;
        if (const char* file = dwfl_lineinfo(line, nullptr, &number, nullptr, nullptr, nullptr))
          return fmt::format("{}:{}", std::filesystem::path(file).filename().string(), number);
      }
    }
  }
  Dl_info found;
  if (dladdr(site.address, &found) && found.dli_fname) {
    const std::string binary = std::filesystem::path(found.dli_fname).filename().string();
    if (found.dli_sname)
      return fmt::format("{}+{:#x} in {}", found.dli_sname,
                         reinterpret_cast<std::uintptr_t>(site.address) - reinterpret_cast<std::uintptr_t>(found.dli_saddr),
                         binary);
    return fmt::format("{:#x} in {}",
                       reinterpret_cast<std::uintptr_t>(site.address) - reinterpret_cast<std::uintptr_t>(found.dli_fbase),
                       binary);
  }
  return "unknown place";
}

}  // namespace swage
