#include <runtime/cache/entry_folder.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include <runtime/cache/digest.hpp>
#include <runtime/engine/event_log.hpp>

namespace swage {
namespace {

constexpr std::array<char, 8> kMagic = {'s', 'w', 'a', 'g', 'e', '\r', '\n', '\x1a'};
constexpr std::uint32_t kVersion = 1;
constexpr std::uint64_t kLargestEntry = std::uint64_t{64} << 20;
constexpr std::int64_t kStaleSeconds = 60;  // a writer needs milliseconds
constexpr std::int64_t kUseSeconds = 60;    // how exactly the last use is kept
constexpr int kMostFailures = 4;
constexpr std::string_view kPartial = "partial";  // the kind of what is being written

// Before the environment, the key and the payload, in this order.
struct Header {
  std::array<char, 8> magic = kMagic;
  std::uint32_t version = kVersion;
  std::uint32_t environment_bytes = 0;
  std::uint64_t key_bytes = 0;
  std::uint64_t payload_bytes = 0;
  std::uint64_t sum = 0;  // of the sizes and all that follows
};
static_assert(sizeof(Header) == 40);

std::uint64_t sum_of(const Header& header, std::string_view rest) {
  std::uint64_t seed = mix_word(header.version, header.environment_bytes);
  seed = mix_word(seed, header.key_bytes);
  return digest(rest, mix_word(seed, header.payload_bytes));
}

// Closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

std::string environment_name(std::string_view environment) { return digest_name(environment).substr(0, 16); }

bool is_temporary(std::string_view name) { return name.starts_with(".") && name.ends_with(".partial"); }

std::string reason(int error) { return std::strerror(error); }  // NOLINT(concurrency-mt-unsafe): glibc's is for known errors

// The whole of an open file, at most `size` bytes.
bool read_all(int fd, std::string& bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::read(fd, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    done += static_cast<std::size_t>(n);
  }
  return true;
}

std::int64_t nanoseconds(const timespec& time) { return time.tv_sec * 1'000'000'000 + time.tv_nsec; }

}  // namespace

std::string name_of(const EntryKey& key) {
  return fmt::format("{}-{}.{}", environment_name(key.environment), digest_name(key.key), key.kind);
}

std::string_view kind_of_name(std::string_view name) {
  constexpr std::size_t kEnvironment = 16, kKey = 32;
  if (name.size() < kEnvironment + kKey + 3 || name[kEnvironment] != '-' || name[kEnvironment + 1 + kKey] != '.') return {};
  const auto hexadecimal = [](std::string_view text) {
    return std::ranges::all_of(text, [](unsigned char c) { return std::isxdigit(c) != 0; });
  };
  const std::string_view kind = name.substr(kEnvironment + 1 + kKey + 1);
  const bool letters = std::ranges::all_of(kind, [](unsigned char c) { return std::islower(c) != 0; });
  return hexadecimal(name.substr(0, kEnvironment)) && hexadecimal(name.substr(kEnvironment + 1, kKey)) && letters
             ? kind
             : std::string_view();
}

std::string encode(const EntryKey& key, std::string_view payload) {
  Header header;
  header.environment_bytes = static_cast<std::uint32_t>(key.environment.size());
  header.key_bytes = key.key.size();
  header.payload_bytes = payload.size();
  std::string bytes(sizeof header, '\0');
  bytes.append(key.environment).append(key.key).append(payload);
  header.sum = sum_of(header, std::string_view(bytes).substr(sizeof header));
  std::memcpy(bytes.data(), &header, sizeof header);
  return bytes;
}

std::string_view decode(std::string_view bytes, Entry& entry) {
  Header header;
  if (bytes.size() < sizeof header) return "it is cut off";
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.magic != kMagic) return "it is no entry";
  if (header.version != kVersion) return "it has another version";
  const std::string_view rest = bytes.substr(sizeof header);
  if (header.key_bytes > rest.size() || header.payload_bytes > rest.size() ||
      header.environment_bytes + header.key_bytes + header.payload_bytes != rest.size())
    return "its sizes are wrong";
  if (sum_of(header, rest) != header.sum) return "its checksum is wrong";
  entry.environment = rest.substr(0, header.environment_bytes);
  entry.key = rest.substr(header.environment_bytes, header.key_bytes);
  entry.payload = rest.substr(header.environment_bytes + header.key_bytes);
  return {};
}

std::unique_ptr<EntryFolder> EntryFolder::open(const std::filesystem::path& path, std::uint64_t limit, std::string& why_not) {
  const auto refuse = [&](std::string_view why) {
    why_not = fmt::format("{}: {}", path.string(), why);
    return nullptr;
  };
  std::error_code error;
  if (path.has_parent_path() && !std::filesystem::exists(path, error))
    std::filesystem::create_directories(path.parent_path(), error);
  if (mkdir(path.c_str(), S_IRWXU) != 0 && errno != EEXIST) return refuse(reason(errno));
  Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return refuse(reason(errno));
  struct stat status{};
  if (fstat(folder.get(), &status) != 0) return refuse(reason(errno));
  if (status.st_uid != geteuid()) return refuse("it belongs to another user");
  if (status.st_mode & (S_IRWXG | S_IRWXO)) return refuse("other users may look into it: `chmod 700` makes it private");
  return std::unique_ptr<EntryFolder>(new EntryFolder(path, limit, folder.release()));
}

EntryFolder::~EntryFolder() { close(folder_); }

void EntryFolder::reject(const std::string& name, std::string_view why) {
  event_log().remark(fmt::format("cache: entry {} is rejected: {}", name, why));
  unlinkat(folder_, name.c_str(), 0);
}

std::optional<Entry> EntryFolder::load(const std::string& name, bool is_use, std::string& why_not, bool& bad) const {
  bad = false;
  const Descriptor file(openat(folder_, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file) {
    if (errno != ENOENT) why_not = "it cannot be read: " + reason(errno);
    return std::nullopt;
  }
  struct stat status{};
  if (fstat(file.get(), &status) != 0) return std::nullopt;
  if (!S_ISREG(status.st_mode) || status.st_uid != geteuid() || static_cast<std::uint64_t>(status.st_size) > kLargestEntry) {
    why_not = "it is not a file of ours";
    return std::nullopt;
  }
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  Entry entry;
  why_not = read_all(file.get(), bytes) ? decode(bytes, entry) : "it is cut off";
  bad = !why_not.empty();
  if (bad) return std::nullopt;
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (is_use && now.tv_sec - status.st_mtim.tv_sec > kUseSeconds) futimens(file.get(), nullptr);  // who may not, does not
  return entry;
}

std::optional<Entry> EntryFolder::read(const std::string& name) {
  std::string why_not;
  bool bad = false;
  std::optional<Entry> entry = load(name, true, why_not, bad);
  if (bad)
    reject(name, why_not);
  else if (!why_not.empty())
    event_log().remark(fmt::format("cache: entry {} is not used: {}", name, why_not));
  return entry;
}

std::optional<Entry> EntryFolder::examine(const std::string& name, std::string& why_not) const {
  bool bad = false;
  why_not.clear();
  return load(name, false, why_not, bad);
}

bool EntryFolder::remove(const std::string& name) {
  struct stat status{};
  if (kind_of_name(name).empty() && !is_temporary(name)) return false;
  if (fstatat(folder_, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return false;
  return S_ISREG(status.st_mode) && status.st_uid == geteuid() && unlinkat(folder_, name.c_str(), 0) == 0;
}

std::optional<std::string> EntryFolder::find(const EntryKey& key) {
  const std::string name = name_of(key);
  std::optional<Entry> entry = read(name);
  if (!entry) return std::nullopt;
  if (entry->environment != key.environment) {
    reject(name, fmt::format("it was made by or for something else: {}", entry->environment));
    return std::nullopt;
  }
  if (entry->key != key.key) {
    reject(name, "its key is another");
    return std::nullopt;
  }
  return std::move(entry->payload);
}

void EntryFolder::drop(const EntryKey& key) { unlinkat(folder_, name_of(key).c_str(), 0); }

bool EntryFolder::write(const std::string& name, std::string_view bytes, std::string& why_not) {
  static std::atomic<std::uint32_t> count{0};
  // A process with a limit on file sizes is sent a signal, not an error.
  rlimit files{};
  if (getrlimit(RLIMIT_FSIZE, &files) == 0 && files.rlim_cur != RLIM_INFINITY && bytes.size() > files.rlim_cur) {
    why_not = "it is larger than this process may write";
    return false;
  }
  const std::string temporary = fmt::format(".{}-{}.partial", getpid(), count++);
  Descriptor file(openat(folder_, temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR));
  if (!file && errno == EEXIST) {  // left by a dead process of the same number
    unlinkat(folder_, temporary.c_str(), 0);
    why_not = "its temporary name was taken";
    return false;
  }
  if (!file) {
    why_not = reason(errno);
    return false;
  }
  bool written = true;
  for (std::string_view rest = bytes; written && !rest.empty();) {
    const ssize_t n = ::write(file.get(), rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    written = n > 0;
    if (written) rest.remove_prefix(static_cast<std::size_t>(n));
  }
  // Some file systems report a full disk only now.
  written = written && close(file.release()) == 0;
  written = written && renameat(folder_, temporary.c_str(), folder_, name.c_str()) == 0;
  if (written) return true;
  why_not = reason(errno);
  unlinkat(folder_, temporary.c_str(), 0);
  return false;
}

bool EntryFolder::store(const EntryKey& key, std::string_view payload) {
  if (failures_.load(std::memory_order_relaxed) >= kMostFailures) return false;
  const std::string bytes = encode(key, payload);
  const std::string name = name_of(key);
  std::string why_not;
  bool written = false;
  if (bytes.size() > std::min(limit_, kLargestEntry))
    why_not = fmt::format("it has {} bytes, more than the cache may hold", bytes.size());
  else
    written = write(name, bytes, why_not);
  if (written) {
    failures_.store(0, std::memory_order_relaxed);
    make_room(bytes.size());
    return true;
  }
  event_log().remark(fmt::format("cache: entry {} is not stored in {}: {}", name, path_.string(), why_not));
  if (failures_.fetch_add(1, std::memory_order_relaxed) + 1 == kMostFailures)
    event_log().remark("cache: nothing more is stored by this process");
  return false;
}

// After `bytes` were added.
void EntryFolder::make_room(std::uint64_t bytes) {
  {
    const std::lock_guard lock(mutex_);
    if (total_) {
      constexpr std::uint64_t kBlock = 4096;
      *total_ += (bytes + kBlock - 1) / kBlock * kBlock;
      if (*total_ <= limit_) return;
    }
  }
  sweep(limit_);
}

// An empty prefix or kind stands for any.
std::vector<EntryInfo> EntryFolder::list_where(std::string_view prefix, std::string_view wanted) const {
  std::vector<EntryInfo> entries;
  Descriptor again(openat(folder_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  DIR* const folder = again ? fdopendir(again.get()) : nullptr;
  if (!folder) return entries;
  again.release();
  while (const dirent* found = readdir(folder)) {
    const std::string_view name = found->d_name, kind = is_temporary(name) ? kPartial : kind_of_name(name);
    struct stat status{};
    if (kind.empty() || !name.starts_with(prefix) || (!wanted.empty() && kind != wanted)) continue;
    if (fstatat(folder_, found->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    constexpr std::uint64_t kSector = 512;
    entries.push_back({found->d_name, std::string(kind),
                       std::max<std::uint64_t>(static_cast<std::uint64_t>(status.st_size),
                                               static_cast<std::uint64_t>(status.st_blocks) * kSector),
                       nanoseconds(status.st_mtim)});
  }
  closedir(folder);
  std::ranges::sort(entries, [](const EntryInfo& a, const EntryInfo& b) { return a.last_use > b.last_use; });
  return entries;
}

std::vector<EntryInfo> EntryFolder::list() const { return list_where({}, {}); }

std::vector<EntryInfo> EntryFolder::list(std::string_view kind, std::string_view environment) const {
  return list_where(environment_name(environment) + '-', kind);
}

bool EntryFolder::is_left_behind(const EntryInfo& entry) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return entry.kind == kPartial && entry.last_use <= nanoseconds(now) - kStaleSeconds * 1'000'000'000;
}

std::size_t EntryFolder::sweep(std::uint64_t bytes) {
  const std::vector<EntryInfo> entries = list();
  std::uint64_t total = 0;
  for (const EntryInfo& entry : entries) total += entry.bytes;
  // Some room, so that the next entries do not each sweep again.
  const std::uint64_t goal = total > bytes ? bytes - bytes / 8 : bytes;
  std::size_t dropped = 0;
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    if (entry->kind == kPartial ? !is_left_behind(*entry) && bytes > 0 : total <= goal) continue;
    if (!remove(entry->name)) continue;
    total -= entry->bytes;
    ++dropped;
  }
  if (dropped > 0)
    event_log().remark(fmt::format("cache: {} dropped, the least recently used",
                                   dropped == 1 ? "an entry was" : fmt::format("{} entries were", dropped)));
  const std::lock_guard lock(mutex_);
  total_ = total;
  return dropped;
}

}  // namespace swage
