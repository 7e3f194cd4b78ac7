// The machine that the command runs on.
#pragma once

#include <string>

namespace swage::tool {

std::string cpu_in_words();  // "AMD EPYC, 2 threads"

}  // namespace swage::tool
