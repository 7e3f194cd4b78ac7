// Tests never touch the user's cache, nor leave logs, but they log all there is: this is part of every test executable.
#include <cstdlib>

namespace {
[[maybe_unused]] const int switched_off =
    setenv("SWAGE_CACHE", "off", /*overwrite=*/1) + setenv("SWAGE_LOG", "memory", /*overwrite=*/1);
}  // namespace
