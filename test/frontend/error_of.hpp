// The text of the error that `f` raises, for tests of what errors say.
#pragma once

#include <string>

#include <runtime/core/error.hpp>

namespace swage::test {

template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace swage::test
