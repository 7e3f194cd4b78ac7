#include <tools/cli/machine.hpp>

#include <fstream>
#include <thread>

#include <fmt/format.h>

namespace swage::tool {
namespace {

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name"))
      if (const auto colon = line.find(": "); colon != std::string::npos) return line.substr(colon + 2);
  return "unknown";
}

}  // namespace

std::string cpu_in_words() { return fmt::format("{}, {} threads", cpu_model(), std::thread::hardware_concurrency()); }

}  // namespace swage::tool
