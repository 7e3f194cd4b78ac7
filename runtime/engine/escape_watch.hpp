// Whether what windows write out is ever read. After some of the windows that ran as plans, the storages that they left behind are
// watched until they are read, by an op or by the host, or die: what dies unread need not have been written. The event log has the sums,
// by trace and storage.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include <runtime/core/value.hpp>
#include <runtime/log/format.hpp>

namespace swage {

class EscapeWatch {
 public:
  // `owner`, of a storage that the window just ended has written out at record `storage`. Allocates for a trace's first ones only; where
  // there is no room, it is not watched.
  void watch(Value& owner, std::uint32_t trace, std::uint32_t storage) noexcept;
  bool full() const { return count_ == values_.size(); }
  void sweep() noexcept;                 // counts those that ops have read, and watches them no longer
  void was_read(Value& owner) noexcept;  // by the host, or by an op that leaves no tag
  void dies(Value& owner) noexcept;      // on the stream's thread, or on that which acts for it
  runlog::EscapeFigures sums() const;    // of all traces

 private:
  struct Watched {
    Value* owner = nullptr;
    Tag tag = 0;  // of its storage when it was written: a window that reads it sets another
    runlog::EscapeFigures* figures = nullptr;
  };
  runlog::EscapeFigures* figures_of(std::uint32_t trace, std::uint32_t storage) noexcept;
  void drop(std::size_t place) noexcept;

  std::array<Watched, 128> values_;
  std::size_t count_ = 0;
  std::unordered_map<std::uint64_t, runlog::EscapeFigures*> figures_;  // by trace and storage
};

}  // namespace swage
