// Writes a run's log (runtime/log/format.hpp): into a file that others may read meanwhile, or, where there is none, into memory that only
// this process sees. One caller at a time.
#pragma once

#include <cstddef>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>

#include <runtime/log/format.hpp>

namespace swage::runlog {

enum class Ring : std::uint8_t { decisions, hits };

class Writer {
 public:
  static constexpr std::uint64_t kDecisions = 1 << 13, kHits = 1 << 12;  // events
  static constexpr std::uint64_t kBlobBytes = std::uint64_t{32} << 20;   // at most

  // An empty path, or a file that cannot be made: memory only. `trouble` then says why. Replaces a file of that name once it is whole.
  explicit Writer(const std::filesystem::path& file);
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  const std::filesystem::path& path() const { return path_; }  // empty: memory only
  const std::string& trouble() const { return trouble_; }

  // Fills in the sequence number and the checksum. Allocates nothing.
  void add(Ring ring, LoggedEvent event) noexcept;
  // The parts, one behind the other. Gives the address of the content, which stays; null where there is no room left.
  void* append(BlobKind kind, std::initializer_list<std::string_view> parts) noexcept;
  Header& header() { return *header_; }
  const Header& header() const { return *header_; }

  std::string_view bytes() const;  // all that was written, as a file would have it
  // The latest events of a ring, oldest first.
  template <class Each>
  void each(Ring ring, const Each& handle) const {
    const std::uint64_t total = (ring == Ring::hits ? header_->hits : header_->decisions).load(std::memory_order_relaxed);
    const std::uint64_t capacity = ring == Ring::hits ? kHits : kDecisions;
    for (std::uint64_t i = total > capacity ? total - capacity : 0; i < total; ++i) handle(slots(ring)[i % capacity]);
  }

  // In a forked child: the file is its parent's. What is written from now on is seen by nobody.
  void leave_file() noexcept;

 private:
  LoggedEvent* slots(Ring ring) const;
  bool map_file(const std::filesystem::path& file);
  bool commit(std::uint64_t blob_bytes) noexcept;  // room on the disk, so that no write can fail later

  std::filesystem::path path_;
  std::string trouble_;
  int file_ = -1;
  Header* header_ = nullptr;
  std::uint64_t committed_ = 0;  // bytes of blobs
};

template <class T>
std::string_view bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}
template <class T>
std::string_view bytes_of_all(const T& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof values[0]};
}

}  // namespace swage::runlog
