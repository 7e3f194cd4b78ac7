#include <runtime/log/writer.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <new>
#include <sys/mman.h>
#include <unistd.h>

#include <fmt/format.h>

namespace swage::runlog {
namespace {

constexpr std::uint64_t up_to_page(std::uint64_t bytes) { return (bytes + 4095) / 4096 * 4096; }
constexpr std::uint64_t kDecisionsAt = kHeaderBytes;
constexpr std::uint64_t kHitsAt = kDecisionsAt + up_to_page(Writer::kDecisions * sizeof(LoggedEvent));
constexpr std::uint64_t kBlobsAt = kHitsAt + up_to_page(Writer::kHits * sizeof(LoggedEvent));
constexpr std::uint64_t kBytes = kBlobsAt + Writer::kBlobBytes;
constexpr std::uint64_t kStep = std::uint64_t{256} << 10;  // by which the file grows

Header* map(int file, int flags) {
  void* const memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, file, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<Header*>(memory);
}

std::uint64_t since_1970() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count());
}

}  // namespace

Writer::Writer(const std::filesystem::path& file) {
  if (!file.empty() && map_file(file)) {
    path_ = file;
  } else {
    header_ = map(-1, MAP_PRIVATE | MAP_ANONYMOUS);
    if (!header_) throw std::bad_alloc();
    committed_ = kBlobBytes;
  }
  new (header_) Header;
  header_->constants.pid = static_cast<std::uint32_t>(getpid());
  header_->constants.started_ns = since_1970();
  header_->constants.decisions_at = kDecisionsAt;
  header_->constants.decisions = kDecisions;
  header_->constants.hits_at = kHitsAt;
  header_->constants.hits = kHits;
  header_->constants.blobs_at = kBlobsAt;
  header_->constants.blobs = kBlobBytes;
  header_->checksum = digest(bytes_of(header_->constants), kVersion);
  if (file_ < 0) return;
  const std::string partial = fmt::format("{}.{}.partial", file.string(), getpid());
  if (std::rename(partial.c_str(), file.c_str()) == 0) return;
  trouble_ = fmt::format("{}: {}", file.string(), std::strerror(errno));
  std::remove(partial.c_str());
  leave_file();
}

bool Writer::map_file(const std::filesystem::path& file) {
  const std::string partial = fmt::format("{}.{}.partial", file.string(), getpid());
  std::remove(partial.c_str());
  file_ = open(partial.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  // Not in the place of a standard stream that is closed: what is printed there would end up in the log.
  if (file_ >= 0 && file_ <= STDERR_FILENO) {
    const int above = fcntl(file_, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    close(file_);
    file_ = above;
  }
  // Whatever is touched has its place on the disk first: a full one must not end the program.
  const bool made = file_ >= 0 && ftruncate(file_, static_cast<off_t>(kBytes)) == 0 &&
                    posix_fallocate(file_, 0, static_cast<off_t>(kBlobsAt)) == 0 && (header_ = map(file_, MAP_SHARED));
  if (made) return true;
  trouble_ = fmt::format("{}: {}", partial, std::strerror(errno));
  if (file_ >= 0) {
    close(file_);
    std::remove(partial.c_str());
  }
  file_ = -1;
  return false;
}

LoggedEvent* Writer::slots(Ring ring) const {
  return reinterpret_cast<LoggedEvent*>(reinterpret_cast<char*>(header_) + (ring == Ring::hits ? kHitsAt : kDecisionsAt));
}

void Writer::add(Ring ring, LoggedEvent event) noexcept {
  std::atomic<std::uint64_t>& total = ring == Ring::hits ? header_->hits : header_->decisions;
  const std::uint64_t before = total.load(std::memory_order_relaxed);
  event.sequence = before + 1;
  event.checksum = checksum_of(event);
  LoggedEvent& slot = slots(ring)[before % (ring == Ring::hits ? kHits : kDecisions)];
  // What follows stays behind this. (A fence would say it as well, but the thread sanitizer knows none.)
  std::atomic_ref<std::uint64_t>(slot.sequence).exchange(0, std::memory_order_acq_rel);
  const std::uint64_t sequence = std::exchange(event.sequence, 0);
  slot = event;
  std::atomic_ref<std::uint64_t>(slot.sequence).store(sequence, std::memory_order_release);
  total.store(sequence, std::memory_order_release);
  header_->last_ns.store(std::max(event.ns, event.until_ns), std::memory_order_relaxed);
}

bool Writer::commit(std::uint64_t blob_bytes) noexcept {
  if (blob_bytes <= committed_) return true;
  if (blob_bytes > kBlobBytes) return false;
  const std::uint64_t wanted = std::min((blob_bytes + kStep - 1) / kStep * kStep, kBlobBytes);
  if (posix_fallocate(file_, static_cast<off_t>(kBlobsAt + committed_), static_cast<off_t>(wanted - committed_)) != 0)
    return false;
  committed_ = wanted;
  return true;
}

void* Writer::append(BlobKind kind, std::initializer_list<std::string_view> parts) noexcept {
  std::uint64_t bytes = 0;
  for (std::string_view part : parts) bytes += part.size();
  const std::uint64_t at = header_->blob_bytes.load(std::memory_order_relaxed);
  const std::uint64_t end = at + sizeof(BlobHeader) + padded(bytes);
  if (!commit(end)) {
    header_->lost_blobs.fetch_add(1, std::memory_order_relaxed);
    return nullptr;
  }
  char* const blob = reinterpret_cast<char*>(header_) + kBlobsAt + at;
  char* const content = blob + sizeof(BlobHeader);
  char* to = content;
  for (std::string_view part : parts) to = std::copy(part.begin(), part.end(), to);
  std::fill(to, content + padded(bytes), '\0');
  BlobHeader header{static_cast<std::uint32_t>(bytes), kind, 0};
  header.checksum = checksum_of(header, {content, bytes});
  std::memcpy(blob, &header, sizeof header);
  header_->blob_bytes.store(end, std::memory_order_release);
  return content;
}

std::string_view Writer::bytes() const {
  return {reinterpret_cast<const char*>(header_), kBlobsAt + header_->blob_bytes.load(std::memory_order_acquire)};
}

void Writer::leave_file() noexcept {
  if (file_ < 0) return;
  // The same addresses, so that figures may go on being written.
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE;
  if (mmap(header_, kBytes, PROT_READ | PROT_WRITE, kFlags, -1, 0) == MAP_FAILED) return;
  close(file_);
  file_ = -1;
  path_.clear();
  committed_ = kBlobBytes;
}

}  // namespace swage::runlog
