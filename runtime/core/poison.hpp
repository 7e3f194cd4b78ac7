// Memory that we keep for later is out of bounds meanwhile: the address sanitizer is told so. Nothing in other builds.
#pragma once

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define SWAGE_POISON(address, bytes) __asan_poison_memory_region(address, bytes)
#define SWAGE_UNPOISON(address, bytes) __asan_unpoison_memory_region(address, bytes)
#else
#define SWAGE_POISON(address, bytes) static_cast<void>(0)
#define SWAGE_UNPOISON(address, bytes) static_cast<void>(0)
#endif
