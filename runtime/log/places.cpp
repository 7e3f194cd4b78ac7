#include <runtime/log/places.hpp>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

namespace swage::runlog {
namespace {

constexpr std::size_t kKept = 32;
constexpr std::uint64_t kKeptBytes = std::uint64_t{256} << 20;
constexpr std::string_view kExtension = ".swagelog", kPrefix = "run-";

bool is_alive(const std::filesystem::path& log) {
  const std::string digits = log.stem().string().substr(kPrefix.size());
  int pid = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), pid);
  return error == std::errc() && pid > 0 && (kill(pid, 0) == 0 || errno == EPERM);
}

void sweep() {
  std::size_t count = 0;
  std::uint64_t bytes = 0;
  for (const std::filesystem::path& log : list()) {
    struct stat status{};
    if (stat(log.c_str(), &status) != 0) continue;
    bytes += static_cast<std::uint64_t>(status.st_blocks) * 512;  // most of the file is never written
    std::error_code ignored;
    if ((++count >= kKept || bytes > kKeptBytes) && !is_alive(log)) std::filesystem::remove(log, ignored);
  }
}

}  // namespace

std::filesystem::path folder() {
  if (const char* runtime = std::getenv("XDG_RUNTIME_DIR"); runtime && *runtime)
    return std::filesystem::path(runtime) / "swage";
  std::error_code ignored;
  auto temporary = std::filesystem::temp_directory_path(ignored);
  if (ignored) temporary = "/tmp";
  return temporary / fmt::format("swage-{}", getuid());
}

std::filesystem::path file_of(const std::string& pid) { return folder() / fmt::format("{}{}{}", kPrefix, pid, kExtension); }

std::vector<std::filesystem::path> list() {
  std::vector<std::pair<std::filesystem::file_time_type, std::filesystem::path>> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder(), error)) {
    const std::filesystem::path& path = entry.path();
    if (path.extension() == kExtension && path.filename().string().starts_with(kPrefix))
      found.emplace_back(entry.last_write_time(error), path);
  }
  std::sort(found.rbegin(), found.rend());
  std::vector<std::filesystem::path> paths;
  paths.reserve(found.size());
  for (auto& [time, path] : found) paths.push_back(std::move(path));
  return paths;
}

bool wanted_in_memory() {
  const char* const wanted = std::getenv("SWAGE_LOG");
  return wanted && std::string_view(wanted) == "memory";
}

std::filesystem::path own_file() {
  const char* const wanted = std::getenv("SWAGE_LOG");
  if (wanted && (std::string_view(wanted) == "off" || wanted_in_memory())) return {};
  if (wanted && *wanted) return wanted;
  std::error_code ignored;
  std::filesystem::create_directories(folder(), ignored);
  struct stat status{};
  // Not ours, or not a folder: nothing is written.
  if (lstat(folder().c_str(), &status) != 0 || !S_ISDIR(status.st_mode) || chmod(folder().c_str(), S_IRWXU) != 0) return {};
  sweep();
  return file_of(std::to_string(getpid()));
}

}  // namespace swage::runlog
