// Which build of a program or library this is, so that nothing stored by another one is ever used.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace swage {

// Of the executable or library that holds this code: its build id, or what identifies its file where it has none.
const std::string& own_build_id();
// Of a loaded library whose file name contains `name`; "none" where there is none.
std::string library_build_id(std::string_view name);

struct LoadedModule {
  std::uint64_t bias = 0;            // what is added to the addresses in its file
  std::uint64_t begin = 0, end = 0;  // addresses
  std::string build_id, path;
};
std::uint64_t modules_loaded();  // grows with every one; those unloaded since count
std::vector<LoadedModule> loaded_modules();

}  // namespace swage
