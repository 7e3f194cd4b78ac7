#include <runtime/cache/build_id.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <elf.h>
#include <filesystem>
#include <functional>
#include <link.h>
#include <sys/stat.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace swage {
namespace {

using Wanted = std::function<bool(const dl_phdr_info&)>;

bool contains(const dl_phdr_info& object, std::uintptr_t address) {
  for (int i = 0; i < object.dlpi_phnum; ++i) {
    const ElfW(Phdr) & header = object.dlpi_phdr[i];
    const std::uintptr_t begin = object.dlpi_addr + header.p_vaddr;
    if (header.p_type == PT_LOAD && address >= begin && address - begin < header.p_memsz) return true;
  }
  return false;
}

std::string note_of(const dl_phdr_info& object) {
  for (int i = 0; i < object.dlpi_phnum; ++i) {
    const ElfW(Phdr) & header = object.dlpi_phdr[i];
    if (header.p_type != PT_NOTE) continue;
    const auto* at =
        reinterpret_cast<const unsigned char*>(object.dlpi_addr + header.p_vaddr);  // NOLINT(performance-no-int-to-ptr)
    const unsigned char* const end = at + header.p_memsz;
    while (static_cast<std::size_t>(end - at) >= sizeof(ElfW(Nhdr))) {
      ElfW(Nhdr) note;
      std::memcpy(&note, at, sizeof note);
      const auto padded = [](std::size_t n) { return (n + 3) / 4 * 4; };
      const unsigned char* const name = at + sizeof note;
      const unsigned char* const id = name + padded(note.n_namesz);
      if (padded(note.n_namesz) + padded(note.n_descsz) > static_cast<std::size_t>(end - name)) break;
      if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && std::memcmp(name, "GNU", 4) == 0)
        return fmt::format("{:02x}", fmt::join(id, id + note.n_descsz, ""));
      at = id + padded(note.n_descsz);
    }
  }
  return {};
}

std::string file_of(const dl_phdr_info& object) {
  const char* const path = object.dlpi_name && *object.dlpi_name ? object.dlpi_name : "/proc/self/exe";
  struct stat status{};
  if (stat(path, &status) != 0) return {};
  return fmt::format("file {} {} {} {}.{}", status.st_dev, status.st_ino, status.st_size, status.st_mtim.tv_sec,
                     status.st_mtim.tv_nsec);
}

std::string identify(const Wanted& wanted) {
  struct Search {
    const Wanted& wanted;
    std::string found = "none";
  } search{wanted};
  dl_iterate_phdr(
      [](dl_phdr_info* object, std::size_t, void* data) {
        auto& search = *static_cast<Search*>(data);
        if (!search.wanted(*object)) return 0;
        search.found = note_of(*object);
        if (search.found.empty()) search.found = file_of(*object);
        return 1;
      },
      &search);
  return search.found;
}

std::string path_of(const dl_phdr_info& object) {
  if (object.dlpi_name && *object.dlpi_name) return object.dlpi_name;
  std::error_code ignored;
  return std::filesystem::read_symlink("/proc/self/exe", ignored).string();
}

}  // namespace

std::uint64_t modules_loaded() {
  std::uint64_t count = 0;
  dl_iterate_phdr(
      [](dl_phdr_info* object, std::size_t, void* data) {
        *static_cast<std::uint64_t*>(data) = object->dlpi_adds;
        return 1;
      },
      &count);
  return count;
}

std::vector<LoadedModule> loaded_modules() {
  std::vector<LoadedModule> modules;
  dl_iterate_phdr(
      [](dl_phdr_info* object, std::size_t, void* data) {
        LoadedModule module{object->dlpi_addr, ~std::uint64_t{0}, 0, note_of(*object), {}};
        for (int i = 0; i < object->dlpi_phnum; ++i) {
          const ElfW(Phdr) & header = object->dlpi_phdr[i];
          if (header.p_type != PT_LOAD) continue;
          module.begin = std::min<std::uint64_t>(module.begin, object->dlpi_addr + header.p_vaddr);
          module.end = std::max<std::uint64_t>(module.end, object->dlpi_addr + header.p_vaddr + header.p_memsz);
        }
        if (module.begin >= module.end) return 0;
        module.path = path_of(*object);
        static_cast<std::vector<LoadedModule>*>(data)->push_back(std::move(module));
        return 0;
      },
      &modules);
  return modules;
}

const std::string& own_build_id() {
  static const std::string id =
      identify([](const dl_phdr_info& object) { return contains(object, reinterpret_cast<std::uintptr_t>(&own_build_id)); });
  return id;
}

std::string library_build_id(std::string_view name) {
  return identify([&](const dl_phdr_info& object) {
    return object.dlpi_name && std::filesystem::path(object.dlpi_name).filename().string().find(name) != std::string::npos;
  });
}

}  // namespace swage
