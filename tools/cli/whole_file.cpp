#include <tools/cli/whole_file.hpp>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

#include <tools/cli/usage.hpp>

namespace swage::tool {
namespace {

bool write_all(int file, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = write(file, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

mode_t permissions_of_new_files() {
  const mode_t mask = umask(0);
  umask(mask);
  return 0666 & ~mask;
}

}  // namespace

void write_whole(const std::filesystem::path& name, std::string_view content) {
  if (name == "-") usage_error("a file is written, '-' is the name of none");
  std::error_code error;
  const std::filesystem::path file =
      std::filesystem::weakly_canonical(std::filesystem::absolute(name), error);  // a link stays one
  if (error) usage_error("{} could not be written: {}", name.string(), error.message());
  const auto there = std::filesystem::status(file, error);
  if (std::filesystem::exists(there) && !std::filesystem::is_regular_file(there))
    usage_error("{} is {}, no file", name.string(), std::filesystem::is_directory(there) ? "a folder" : "something else");
  if (!std::filesystem::is_directory(file.parent_path(), error))
    usage_error("there is no folder {}", file.parent_path().string());
  std::string fresh = file.string() + ".XXXXXX";
  const int made = mkstemp(fresh.data());
  if (made < 0) usage_error("{} could not be written: {}", name.string(), std::strerror(errno));
  bool whole = write_all(made, content) && fchmod(made, permissions_of_new_files()) == 0;
  int why = errno;
  if (close(made) != 0 && whole) {
    whole = false;
    why = errno;
  }
  if (whole && rename(fresh.c_str(), file.c_str()) != 0) {
    whole = false;
    why = errno;
  }
  if (whole) return;
  unlink(fresh.c_str());
  usage_error("{} could not be written: {}", name.string(), std::strerror(why));
}

}  // namespace swage::tool
