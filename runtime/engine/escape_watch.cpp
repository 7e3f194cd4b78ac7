#include <runtime/engine/escape_watch.hpp>

#include <algorithm>
#include <new>

#include <runtime/core/shared_buffer.hpp>
#include <runtime/engine/event_log.hpp>

namespace swage {
namespace {

bool seen_by_others(const Value& owner, Tag written) {
  return owner.storage_tag != written || owner.flags & (Value::kExposed | Value::kReadElsewhere | kSharedBuffer) ||
         owner.users_elsewhere != 0;
}

}  // namespace

void EscapeWatch::watch(Value& owner, std::uint32_t trace, std::uint32_t storage) noexcept {
  if (full() || owner.flags & (Value::kWatched | Value::kBorrowed | Value::kExposed)) return;
  runlog::EscapeFigures* const figures = figures_of(trace, storage);
  if (!figures) return;
  ++figures->watched;
  figures->most = std::max(figures->most, figures->held());
  owner.flags.set(Value::kWatched);
  values_[count_++] = {&owner, owner.storage_tag, figures};
}

void EscapeWatch::sweep() noexcept {
  for (std::size_t k = count_; k-- > 0;) {
    Watched& watched = values_[k];
    if (!seen_by_others(*watched.owner, watched.tag)) continue;
    ++watched.figures->read;
    drop(k);
  }
  // What is held for good makes room: it is counted as held.
  for (std::size_t k = values_.size() / 4; full() && k-- > 0;) drop(k);
}

void EscapeWatch::was_read(Value& owner) noexcept {
  for (std::size_t k = 0; k < count_; ++k) {
    if (values_[k].owner != &owner) continue;
    ++values_[k].figures->read;
    return drop(k);
  }
}

void EscapeWatch::dies(Value& owner) noexcept {
  for (std::size_t k = 0; k < count_; ++k) {
    const Watched& watched = values_[k];
    if (watched.owner != &owner) continue;
    if (seen_by_others(owner, watched.tag))
      ++watched.figures->read;
    else if (tape_lets_go)
      ++watched.figures->dropped_by_tape;
    else
      ++watched.figures->dropped;
    return drop(k);
  }
}

runlog::EscapeFigures EscapeWatch::sums() const {
  runlog::EscapeFigures sums;
  for (const auto& [key, figures] : figures_) {
    if (!figures) continue;
    sums.watched += figures->watched;
    sums.read += figures->read;
    sums.dropped_by_tape += figures->dropped_by_tape;
    sums.dropped += figures->dropped;
  }
  return sums;
}

void EscapeWatch::drop(std::size_t place) noexcept {
  values_[place].owner->flags.clear(Value::kWatched | Value::kReadElsewhere);
  values_[place] = values_[--count_];
}

runlog::EscapeFigures* EscapeWatch::figures_of(std::uint32_t trace, std::uint32_t storage) noexcept {
  constexpr std::size_t kMost = 2048;
  const std::uint64_t key = std::uint64_t{trace} << 32 | storage;
  if (const auto found = figures_.find(key); found != figures_.end()) return found->second;
  if (figures_.size() == kMost) return nullptr;
  try {
    return figures_[key] = event_log().store_escape(trace, storage);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

}  // namespace swage
