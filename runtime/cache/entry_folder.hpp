// A private folder of entries named by their contents' key. What is found in it is never trusted: an entry that is truncated,
// flipped, foreign or of another kind is a miss with a reason in the event log.
//
// An entry is written under a name of its own and renamed into place, so that readers and writers, of this process and others, see
// whole entries or none. No locks: the worst that two writers do is write the same entry twice.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace swage {

// What an entry is found by. The environment names everything that the payload depends on beside the key: build, CPU, versions.
struct EntryKey {
  std::string_view kind;  // letters; ends the name of the file
  std::string_view environment;
  std::string_view key;
};

struct EntryInfo {
  std::string name;
  std::string kind;
  std::uint64_t bytes = 0;    // on disk
  std::int64_t last_use = 0;  // nanoseconds since 1970
};

struct Entry {
  std::string environment, key, payload;
};

// The bytes of an entry's file, its name, and back: what is wrong with such bytes in words, empty if nothing. `entry` is filled only then.
std::string encode(const EntryKey& key, std::string_view payload);
std::string name_of(const EntryKey& key);
std::string_view decode(std::string_view bytes, Entry& entry);
// The kind of an entry by the name of its file; empty for files that are none.
std::string_view kind_of_name(std::string_view name);

class EntryFolder {
 public:
  // Makes the folder if need be. Null, and the reason in `why_not`, where it cannot be used: it belongs to somebody else, others may
  // look into it, or it cannot be made.
  static std::unique_ptr<EntryFolder> open(const std::filesystem::path& path, std::uint64_t limit, std::string& why_not);
  ~EntryFolder();
  EntryFolder(const EntryFolder&) = delete;
  EntryFolder& operator=(const EntryFolder&) = delete;

  // The payload. Thread-safe, as is everything here.
  std::optional<std::string> find(const EntryKey& key);
  // False where it could not be written. After several failures in a row nothing more is tried.
  bool store(const EntryKey& key, std::string_view payload);
  void drop(const EntryKey& key);
  // Reads an entry by the name of its file.
  std::optional<Entry> read(const std::string& name);
  // Drops an entry, with a reason in the event log.
  void reject(const std::string& name, std::string_view why);

  // The same for who only looks: nothing is dropped, and it does not count as a use. Nothing and no reason where there is no such file.
  std::optional<Entry> examine(const std::string& name, std::string& why_not) const;
  // True where there was such an entry. Files that are no entries stay.
  bool remove(const std::string& name);

  // All entries, latest use first; with an environment only those of it, found by their names.
  std::vector<EntryInfo> list() const;
  std::vector<EntryInfo> list(std::string_view kind, std::string_view environment) const;
  // Whether this is what a writer that was killed left behind.
  static bool is_left_behind(const EntryInfo& entry);
  // Drops the least recently used until at most `bytes` are left, and what killed writers left behind. Returns how many went.
  std::size_t sweep(std::uint64_t bytes);
  std::size_t clear() { return sweep(0); }

  const std::filesystem::path& path() const { return path_; }
  std::uint64_t limit() const { return limit_; }

 private:
  EntryFolder(std::filesystem::path path, std::uint64_t limit, int folder)
      : path_(std::move(path)), limit_(limit), folder_(folder) {}
  // `bad`: it is a file of ours that holds no entry.
  std::optional<Entry> load(const std::string& name, bool is_use, std::string& why_not, bool& bad) const;
  bool write(const std::string& name, std::string_view bytes, std::string& why_not);
  void make_room(std::uint64_t bytes);
  std::vector<EntryInfo> list_where(std::string_view prefix, std::string_view kind) const;

  std::filesystem::path path_;
  std::uint64_t limit_;
  int folder_;  // descriptor: a folder renamed or replaced meanwhile changes nothing
  std::atomic<int> failures_{0};
  std::mutex mutex_;
  std::optional<std::uint64_t> total_;  // bytes on disk, as far as this process knows
};

}  // namespace swage
