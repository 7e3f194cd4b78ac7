// Which build of a program or library this is, so that nothing stored by another one is ever used.
#pragma once

#include <string>
#include <string_view>

namespace swage {

// Of the executable or library that holds this code: its build id, or what identifies its file where it has none.
const std::string& own_build_id();
// Of a loaded library whose file name contains `name`; "none" where there is none.
std::string library_build_id(std::string_view name);

}  // namespace swage
