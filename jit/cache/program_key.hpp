// A program as bytes: two programs have the same key exactly when they are equal, in any process of the same build.
#pragma once

#include <string>

#include <jit/program.hpp>

namespace swage::jit {

std::string program_key(const Program& program);

}  // namespace swage::jit
