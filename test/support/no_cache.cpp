// Tests never touch the user's cache: this is part of every test executable.
#include <cstdlib>

namespace {
[[maybe_unused]] const int switched_off = setenv("SWAGE_CACHE", "off", /*overwrite=*/1);
}  // namespace
