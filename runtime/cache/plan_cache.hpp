// The one folder of this process in which traces and code outlive it.
//
// SWAGE_CACHE=off: none; SWAGE_CACHE=PATH: there; by default `swage` in $XDG_CACHE_HOME, else in ~/.cache.
// SWAGE_CACHE_BYTES: the most that it may hold, such as 64M; 256M by default.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include <runtime/cache/entry_folder.hpp>

namespace swage {

struct CacheSettings {
  std::filesystem::path folder;  // empty: none
  std::uint64_t bytes = std::uint64_t{256} << 20;
  std::string remark;  // why there is none, or what of the environment was not understood
};
// "1000", "64K", "64M" or "2G"; false for other texts.
bool parse_bytes(std::string_view text, std::uint64_t& bytes);
CacheSettings cache_settings();  // from the environment

// Opened at first use; null where there is none, for the reason in the event log.
EntryFolder* plan_cache();
// Another folder from now on (tests). The one before stays open.
void use_plan_cache(const CacheSettings& settings);

// Whether what earlier processes stored is looked up; storing goes on in any case.
void allow_cache_lookups(bool allowed);
bool cache_lookups_allowed();

}  // namespace swage
