#include <runtime/cache/plan_cache.hpp>

#include <atomic>
#include <charconv>
#include <cstdlib>
#include <mutex>
#include <vector>

#include <fmt/format.h>

#include <runtime/engine/event_log.hpp>

namespace swage {
namespace {

std::atomic<bool> lookups = true;
std::atomic<EntryFolder*> folder = nullptr;
std::once_flag opened;

std::string_view or_empty(const char* value) { return value ? value : ""; }

void open(const CacheSettings& settings) {
  if (!settings.remark.empty()) event_log().remark("cache: " + settings.remark);
  if (settings.folder.empty()) {
    folder = nullptr;
    return;
  }
  std::string why_not;
  auto made = EntryFolder::open(settings.folder, settings.bytes, why_not);
  if (!made) event_log().remark("cache: none, " + why_not);
  static auto* const all = new std::vector<std::unique_ptr<EntryFolder>>;  // for the life of the process
  folder = made.get();
  all->push_back(std::move(made));
}

}  // namespace

bool parse_bytes(std::string_view text, std::uint64_t& bytes) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bytes);
  if (error != std::errc{}) return false;
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  int shift = 0;
  if (unit == "K") shift = 10;
  if (unit == "M") shift = 20;
  if (unit == "G") shift = 30;
  if ((shift == 0 && !unit.empty()) || bytes > (~std::uint64_t{0} >> shift)) return false;
  bytes <<= shift;
  return true;
}

CacheSettings cache_settings() {
  CacheSettings settings;
  if (const std::string_view bytes = or_empty(std::getenv("SWAGE_CACHE_BYTES")); !bytes.empty()) {
    std::uint64_t wanted = 0;
    if (parse_bytes(bytes, wanted))
      settings.bytes = wanted;
    else
      settings.remark = fmt::format("SWAGE_CACHE_BYTES is a number, or one with K, M or G after it, not '{}'", bytes);
  }
  const std::string_view wish = or_empty(std::getenv("SWAGE_CACHE"));
  const std::string_view caches = or_empty(std::getenv("XDG_CACHE_HOME")), home = or_empty(std::getenv("HOME"));
  if (wish == "off")
    settings.remark = "off, as SWAGE_CACHE says";
  else if (!wish.empty())
    settings.folder = wish;
  else if (caches.starts_with('/'))  // relative ones are to be ignored, says its specification
    settings.folder = std::filesystem::path(caches) / "swage";
  else if (home.starts_with('/'))
    settings.folder = std::filesystem::path(home) / ".cache" / "swage";
  else
    settings.remark = "none, for neither SWAGE_CACHE nor HOME names a folder";
  return settings;
}

EntryFolder* plan_cache() {
  std::call_once(opened, [] { open(cache_settings()); });
  return folder.load(std::memory_order_acquire);
}

void use_plan_cache(const CacheSettings& settings) {
  std::call_once(opened, [] {});
  open(settings);
}

void allow_cache_lookups(bool allowed) { lookups.store(allowed, std::memory_order_relaxed); }
bool cache_lookups_allowed() { return lookups.load(std::memory_order_relaxed); }

}  // namespace swage
