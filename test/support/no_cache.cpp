// Tests never touch the user's cache, nor leave logs: this is part of every test executable.
#include <cstdlib>

namespace {
[[maybe_unused]] const int switched_off =
    setenv("SWAGE_CACHE", "off", /*overwrite=*/1) + setenv("SWAGE_LOG", "off", /*overwrite=*/1);
}  // namespace
