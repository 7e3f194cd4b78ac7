#include <test/log_fuzz/mutate.hpp>

#include <algorithm>
#include <cstring>

namespace swage::log_fuzz {
namespace {

std::size_t below(Random& random, std::size_t n) { return n == 0 ? 0 : random() % n; }

std::uint64_t extreme(Random& random) {
  static constexpr std::uint64_t kNumbers[] = {0,
                                               1,
                                               2,
                                               3,
                                               7,
                                               8,
                                               9,
                                               15,
                                               16,
                                               64,
                                               65,
                                               4096,
                                               65535,
                                               65536,
                                               0x7FFFFFFF,
                                               0x80000000,
                                               0xFFFFFFFF,
                                               0xFFFFFFFE,
                                               std::uint64_t{1} << 47,
                                               (std::uint64_t{1} << 48) - 1,
                                               std::uint64_t{1} << 56,
                                               0x7FFFFFFFFFFFFFFF,
                                               0x8000000000000000,
                                               ~std::uint64_t{0},
                                               0x7FF0000000000000,   // infinity
                                               0x7FF8000000000000,   // NaN
                                               0x7FEFFFFFFFFFFFFF};  // the largest double
  return random() % 4 == 0 ? random() % 300 : kNumbers[random() % std::size(kNumbers)];
}

// Bits, spans, numbers: anywhere.
void change_bytes(std::string& bytes, Random& random) {
  if (bytes.empty()) return;
  const std::size_t at = below(random, bytes.size());
  switch (random() % 6) {
    case 0: bytes[at] = static_cast<char>(bytes[at] ^ 1 << random() % 8); return;
    case 1: {
      const std::size_t n = std::min<std::size_t>(bytes.size() - at, 1 + below(random, 40));
      const auto with = random() % 3;
      for (std::size_t i = 0; i < n; ++i) bytes[at + i] = with == 0 ? '\0' : with == 1 ? '\xFF' : static_cast<char>(random());
      return;
    }
    case 2:
    case 3: {  // a number where a number stands
      const std::size_t width = random() % 2 ? 4 : 8;
      const std::size_t place = at / width * width;
      const std::uint64_t value = extreme(random);
      std::memcpy(bytes.data() + place, &value, std::min(width, bytes.size() - place));
      return;
    }
    case 4: {  // a small step
      const std::size_t place = at / 4 * 4;
      std::uint32_t value = 0;
      const std::size_t width = std::min(sizeof value, bytes.size() - place);
      std::memcpy(&value, bytes.data() + place, width);
      value += static_cast<std::uint32_t>(random() % 5) - 2;
      std::memcpy(bytes.data() + place, &value, width);
      return;
    }
    default: {  // what stands elsewhere
      const std::size_t from = below(random, bytes.size()) / 4 * 4, to = at / 4 * 4;
      const std::size_t n = std::min({std::size_t{4} << random() % 4, bytes.size() - from, bytes.size() - to});
      std::memmove(bytes.data() + to, bytes.data() + from, n);
    }
  }
}

void damage(std::string& bytes, Random& random) {
  switch (random() % 8) {
    case 0: bytes.resize(below(random, bytes.size() + 1)); return;
    case 1: {  // blocks change places
      const std::size_t n = std::min<std::size_t>(bytes.size() / 2, 1 + below(random, 4096));
      const std::size_t a = below(random, bytes.size() - n + 1), b = below(random, bytes.size() - n + 1);
      const std::string block = bytes.substr(a, n);
      bytes.replace(a, n, bytes.substr(b, n));
      bytes.replace(b, n, block);
      return;
    }
    case 2: bytes.erase(below(random, bytes.size() + 1), 1 + below(random, 64)); return;
    case 3:
      bytes.insert(below(random, bytes.size() + 1), std::string(1 + below(random, 64), static_cast<char>(random())));
      return;
    default: change_bytes(bytes, random);
  }
}

void change_event(runlog::LoggedEvent& event, Random& random) {
  std::string bytes(reinterpret_cast<const char*>(&event), sizeof event);
  change_bytes(bytes, random);
  std::memcpy(static_cast<void*>(&event), bytes.data(), sizeof event);
}

void change_blobs(Log& log, const std::vector<Log>& logs, Random& random) {
  if (log.blobs.empty()) return;
  Blob& blob = log.blobs[below(random, log.blobs.size())];
  switch (random() % 12) {
    case 0: std::swap(blob, log.blobs[below(random, log.blobs.size())]); return;
    case 1: log.blobs.erase(log.blobs.begin() + static_cast<std::ptrdiff_t>(below(random, log.blobs.size()))); return;
    case 2: {
      const auto& others = logs[below(random, logs.size())].blobs;
      const Blob other = others[below(random, others.size())];
      log.blobs.insert(log.blobs.begin() + static_cast<std::ptrdiff_t>(below(random, log.blobs.size() + 1)), other);
      return;
    }
    case 3: blob.kind = static_cast<runlog::BlobKind>(random() % 14); return;
    case 4: blob.content.resize(below(random, 2 * blob.content.size() + 8), static_cast<char>(random())); return;
    default: change_bytes(blob.content, random);
  }
}

// Traces are most of what can go wrong, and descriptors and attributes are what they stand on.
void change_what_traces_say(Log& log, Random& random) {
  std::vector<Blob*> found;
  for (Blob& blob : log.blobs)
    if (blob.kind == runlog::BlobKind::trace || blob.kind == runlog::BlobKind::descriptor ||
        blob.kind == runlog::BlobKind::attribute || blob.kind == runlog::BlobKind::plan)
      found.push_back(&blob);
  if (!found.empty()) change_bytes(found[below(random, found.size())]->content, random);
}

}  // namespace

std::string mutated(const std::vector<Log>& logs, Random& random) {
  Log log = logs[below(random, logs.size())];
  const auto times = [&] { return 1 + random() % (random() % 4 == 0 ? 12 : 3); };
  const auto how = random() % 8;
  if (how < 6) {  // with sums made right
    for (auto n = times(); n > 0; --n) {
      const auto what = random() % 10;
      auto& ring = random() % 2 ? log.decisions : log.hits;
      if (what < 5)
        change_what_traces_say(log, random);
      else if (what < 8)
        change_blobs(log, logs, random);
      else if (what < 9 && !ring.empty())
        change_event(ring[below(random, ring.size())], random);
      else
        change_bytes(log.header, random);
    }
  }
  std::string bytes = put_together(log);
  if (how >= 5) {
    for (auto n = times(); n > 0; --n) damage(bytes, random);
    // A header that holds what it should not gets past its sum too.
    if (random() % 2) {
      std::string constants = bytes.substr(0, sizeof(runlog::Constants));
      if (random() % 2) change_bytes(constants, random);
      bytes.replace(0, std::min(bytes.size(), constants.size()), constants);
      seal_header(bytes);
    }
  }
  return bytes;
}

}  // namespace swage::log_fuzz
