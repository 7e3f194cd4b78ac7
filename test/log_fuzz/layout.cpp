#include <test/log_fuzz/layout.hpp>

#include <algorithm>
#include <cstring>

namespace swage::log_fuzz {
namespace {

using runlog::BlobHeader;
using runlog::Constants;
using runlog::kHeaderBytes;
using runlog::LoggedEvent;

template <class T>
T value_at(std::string_view bytes, std::size_t at) {
  T value;
  std::memset(static_cast<void*>(&value), 0, sizeof value);
  if (at < bytes.size()) std::memcpy(static_cast<void*>(&value), bytes.data() + at, std::min(sizeof value, bytes.size() - at));
  return value;
}

template <class T>
std::string_view raw(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

std::vector<LoggedEvent> events_at(std::string_view bytes, std::uint64_t at, std::uint64_t n) {
  std::vector<LoggedEvent> events;
  for (std::uint64_t i = 0; i < n && at + (i + 1) * sizeof(LoggedEvent) <= bytes.size(); ++i) {
    const auto event = value_at<LoggedEvent>(bytes, at + i * sizeof(LoggedEvent));
    if (event.sequence != 0) events.push_back(event);
  }
  return events;
}

}  // namespace

Constants Log::constants() const { return value_at<Constants>(header, 0); }

Log take_apart(std::string_view bytes) {
  Log log;
  log.header = bytes.substr(0, kHeaderBytes);
  const Constants constants = log.constants();
  log.decisions = events_at(bytes, constants.decisions_at, constants.decisions);
  log.hits = events_at(bytes, constants.hits_at, constants.hits);
  const auto written = value_at<std::uint64_t>(bytes, offsetof(runlog::Header, blob_bytes));
  std::string_view rest = bytes.substr(constants.blobs_at, written);
  while (rest.size() >= sizeof(BlobHeader)) {
    const auto header = value_at<BlobHeader>(rest, 0);
    rest.remove_prefix(sizeof header);
    log.blobs.push_back({header.kind, std::string(rest.substr(0, header.bytes))});
    rest.remove_prefix(std::min(rest.size(), runlog::padded(header.bytes)));
  }
  return log;
}

void seal_header(std::string& bytes) {
  if (bytes.size() < kHeaderBytes) return;
  const std::uint64_t sum = digest(std::string_view(bytes).substr(0, sizeof(Constants)), runlog::kVersion);
  std::memcpy(bytes.data() + offsetof(runlog::Header, checksum), &sum, sizeof sum);
}

std::string put_together(const Log& log) {
  std::string bytes = log.header;
  Constants constants = log.constants();
  const auto put_ring = [&](const std::vector<LoggedEvent>& events, std::uint64_t& at, std::uint64_t& n) {
    at = bytes.size();
    n = events.size();
    for (LoggedEvent event : events) {
      event.checksum = checksum_of(event);
      bytes += raw(event);
    }
  };
  put_ring(log.decisions, constants.decisions_at, constants.decisions);
  put_ring(log.hits, constants.hits_at, constants.hits);
  constants.blobs_at = bytes.size();
  for (const Blob& blob : log.blobs) {
    BlobHeader header{static_cast<std::uint32_t>(blob.content.size()), blob.kind, 0};
    header.checksum = checksum_of(header, blob.content);
    bytes += raw(header);
    bytes += blob.content;
    bytes.resize(bytes.size() + runlog::padded(blob.content.size()) - blob.content.size());
  }
  constants.blobs = bytes.size() - constants.blobs_at;
  std::memcpy(bytes.data() + offsetof(runlog::Header, blob_bytes), &constants.blobs, sizeof constants.blobs);
  std::memcpy(bytes.data(), static_cast<const void*>(&constants), sizeof constants);
  seal_header(bytes);
  return bytes;
}

}  // namespace swage::log_fuzz
