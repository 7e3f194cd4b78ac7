#include <tools/trace/source_lines.hpp>

#include <algorithm>
#include <filesystem>
#include <optional>

#include <elfutils/libdwfl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace swage::tool {

struct SourceLines::Modules {
  struct Module {
    runlog::ModuleEntry entry;
    Dwfl_Module* debug = nullptr;  // null until asked for, or where there is none
    bool asked = false;
  };
  Dwfl* dwfl = nullptr;
  std::vector<Module> all;

  Module* at(std::uint64_t address) {
    const auto found =
        std::ranges::find_if(all, [&](const Module& m) { return address >= m.entry.begin && address < m.entry.end; });
    return found == all.end() ? nullptr : &*found;
  }

  // Reads the file of a module, if it is the one that ran.
  void ask(Module& module) {
    module.asked = true;
    std::error_code ignored;
    if (!dwfl || !std::filesystem::is_regular_file(module.entry.path, ignored)) return;
    dwfl_report_begin_add(dwfl);
    Dwfl_Module* const debug = dwfl_report_elf(dwfl, std::filesystem::path(module.entry.path).filename().c_str(),
                                               module.entry.path.c_str(), -1, module.entry.bias, false);
    dwfl_report_end(dwfl, nullptr, nullptr);
    if (!debug) return;
    GElf_Addr bias = 0;
    dwfl_module_getelf(debug, &bias);
    const unsigned char* bits = nullptr;
    GElf_Addr address = 0;
    const int n = dwfl_module_build_id(debug, &bits, &address);
    const std::string id = n > 0 ? fmt::format("{:02x}", fmt::join(bits, bits + n, "")) : "";
    if (id == module.entry.build_id) module.debug = debug;
  }
};

SourceLines::SourceLines(const runlog::Run& run) : modules_(std::make_unique<Modules>()) {
  static char* no_debug_path = nullptr;
  static const Dwfl_Callbacks callbacks = {dwfl_build_id_find_elf, dwfl_standard_find_debuginfo, dwfl_offline_section_address,
                                           &no_debug_path};
  modules_->dwfl = dwfl_begin(&callbacks);
  for (const runlog::ModuleEntry& module : run.modules) modules_->all.push_back({module});
  std::ranges::reverse(modules_->all);  // what was loaded last is what lies there
}

SourceLines::~SourceLines() {
  if (modules_->dwfl) dwfl_end(modules_->dwfl);
}

const std::string& SourceLines::of(std::uint64_t site) {
  const auto [entry, is_new] = known_.try_emplace(site);
  if (is_new) entry->second = resolve(site);
  return entry->second;
}

std::string SourceLines::resolve(std::uint64_t site) {
  if (site == 0) return "unknown place";
  const std::uint64_t address = site - 1;  // a return address is the instruction after the call
  Modules::Module* const module = modules_->at(address);
  if (!module) return fmt::format("{:#x}", site);
  if (!module->asked) modules_->ask(*module);
  const std::string binary = std::filesystem::path(module->entry.path).filename().string();
  if (module->debug) {
    if (Dwfl_Line* const line = dwfl_module_getsrc(module->debug, address)) {
      int number = 0;
      if (const char* const file = dwfl_lineinfo(line, nullptr, &number, nullptr, nullptr, nullptr))
        return fmt::format("{}:{}", std::filesystem::path(file).filename().string(), number);
    }
    GElf_Off offset = 0;
    GElf_Sym symbol;
    if (const char* const name = dwfl_module_addrinfo(module->debug, address, &offset, &symbol, nullptr, nullptr, nullptr))
      return fmt::format("{}+{:#x} in {}", name, offset, binary);
  }
  return fmt::format("{:#x} in {}", site - module->entry.bias, binary);
}

}  // namespace swage::tool
