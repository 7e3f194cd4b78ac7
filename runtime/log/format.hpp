// How a run's log lies in its file. The program writes it through a shared mapping while it runs, so that whoever opens the file reads
// what there is: live, afterwards, or after the process was killed.
//
//   header     constants under a checksum, then what changes
//   decisions  a ring of events; the latest kept, each with a sequence number and a checksum, written last
//   hits       the same, of windows that ran as plans, runs of hits on one trace as one event
//   blobs      what is stored once, one behind the other: traces, plans, descriptors, attributes, words, modules; and figures that
//              change in place (of traces, of streams)
//
// Numbers are of the machine (x86-64). Ids of descriptors and attributes are the process's own: blobs say what they mean.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <runtime/cache/digest.hpp>
#include <runtime/engine/counters.hpp>
#include <runtime/trace/op_record.hpp>

namespace swage::runlog {

inline constexpr std::array<char, 8> kMagic = {'S', 'W', 'A', 'G', 'E', 'L', 'O', 'G'};
inline constexpr std::uint32_t kVersion = 4;

struct Constants {
  std::array<char, 8> magic = kMagic;
  std::uint32_t version = kVersion;
  std::uint32_t pid = 0;
  std::uint64_t started_ns = 0;  // since 1970
  std::uint64_t decisions_at = 0, decisions = 0;
  std::uint64_t hits_at = 0, hits = 0;    // offsets in bytes; capacities in events
  std::uint64_t blobs_at = 0, blobs = 0;  // bytes
};

struct Header {
  Constants constants;
  std::uint64_t checksum = 0;                  // of the constants
  std::atomic<std::uint64_t> decisions, hits;  // ever written
  std::atomic<std::uint64_t> blob_bytes;       // that are whole
  std::atomic<std::uint64_t> lost_blobs;       // for which there was no room
  std::atomic<std::uint64_t> last_ns;          // of the latest event, since the process began
  std::atomic<std::uint64_t> ended_ns;         // 0 while it runs, and if it was killed
  std::atomic<std::uint64_t> compiles, assembled, compile_failures, compile_ns, compile_ns_at_most;
};
inline constexpr std::size_t kHeaderBytes = 4096;
static_assert(sizeof(Header) <= kHeaderBytes && std::atomic<std::uint64_t>::is_always_lock_free);

struct LoggedEvent {
  std::uint64_t sequence = 0;  // from 1, of its ring; 0 while it is written
  std::uint64_t ns = 0;        // since the process began
  std::uint64_t until_ns = 0;  // hits: of the last one of the run
  const void* site = nullptr;
  std::uint32_t code = 0, trace = 0, position = 0, value = 0;
  std::uint32_t stream = 0;
  std::uint32_t checksum = 0;
  KeyHalf key;
};
static_assert(sizeof(LoggedEvent) == 88);

inline std::uint32_t checksum_of(LoggedEvent event) {
  event.checksum = 0;
  return static_cast<std::uint32_t>(digest({reinterpret_cast<const char*>(&event), sizeof event}, kVersion));
}

enum class BlobKind : std::uint32_t {
  descriptor = 1,  // DescriptorBlob
  attribute,       // AttributeBlob, extents behind it
  trace,           // TraceBlob, then keys, results and sites
  plan,            // PlanBlob, then words of its mask, then notes
  refusal,         // id of the trace, then why it is not compiled
  remark,          // words
  module,          // ModuleBlob, then its build id and path
  figures,         // TraceFigures: change in place
  stream,          // StreamFigures: change in place
  command,         // the command line
  sites,           // TraceBlob, then sites: those of a trace stored without them
  escape,          // EscapeFigures: change in place
};
inline constexpr bool changes(BlobKind kind) {
  return kind == BlobKind::figures || kind == BlobKind::stream || kind == BlobKind::escape;
}

struct BlobHeader {
  std::uint32_t bytes = 0;  // of what follows, without padding to eight
  BlobKind kind = BlobKind::remark;
  std::uint64_t checksum = 0;  // of bytes, kind and, where it does not change, of what follows
};
inline std::uint64_t checksum_of(BlobHeader header, std::string_view content) {
  const std::uint64_t seed = std::uint64_t{header.bytes} << 32 | static_cast<std::uint32_t>(header.kind);
  return changes(header.kind) ? mix_word(kVersion, seed) : digest(content, mix_word(kVersion, seed));
}
constexpr std::size_t padded(std::size_t bytes) { return (bytes + 7) / 8 * 8; }

struct DescriptorBlob {
  DescId id = 0;
  std::uint32_t dtype = 0;
  std::uint32_t rank = 0, unused = 0;
  std::int64_t extents[kMaxRank] = {}, strides[kMaxRank] = {};
};

struct AttributeBlob {
  AttrId id = 0;
  std::uint32_t dtype = 0;
  double real = 0;
  std::uint64_t n_ints = 0;
};

struct TraceBlob {
  std::uint32_t id = 0;
  std::uint32_t records = 0;
};

struct PlanBlob {
  std::uint32_t trace = 0;
  std::uint32_t tight = 0;
  std::uint32_t groups = 0, fused_ops = 0, library_calls = 0, generated = 0;
  std::uint64_t arena_bytes = 0;
  double ms = 0;  // that making it took
  std::uint64_t mask_words = 0;
};

struct ModuleBlob {
  std::uint64_t bias = 0;  // what is added to the addresses in its file
  std::uint64_t begin = 0, end = 0;
  std::uint32_t build_id_bytes = 0, unused = 0;
};

struct TraceFigures {
  enum State : std::uint32_t {
    kPlan = 1,
    kShelved = 2,
    kRefused = 4,
    kDropped = 8,
    kPromised = 16,
    kSeen = 32
  };  // kSeen: it ran once and was not kept
  std::uint32_t trace = 0;
  std::uint32_t state = 0;
  std::uint64_t runs = 0, hits = 0, side_exits = 0;
  double eager_ns = 0, eager_best_ns = 0;  // of its kernels: mean, least
  double plan_best_ns = 0;                 // of its plan; 0 until it was timed
  double saving_ns = 0;                    // of one hit, as far as known
  std::uint64_t escaping = 0;              // storages that have escaped so far
  // Where the host's read ends it: what ran next the last time, and before that something else; and how often that has changed.
  std::uint32_t next = 0, other = 0;
  std::uint64_t turns = 0;
  std::uint64_t last_window = 0;  // of its stream, counted: when it last ran

  void followed_by(std::uint32_t id) {
    if (id == next) return;
    other = next;
    next = id;
    ++turns;
  }
};

// What became of a storage that the plan of a trace writes out, as far as it was watched. Those that are neither read nor dropped are
// still held.
struct EscapeFigures {
  std::uint32_t trace = 0, storage = 0;
  std::uint64_t watched = 0, read = 0;
  std::uint64_t dropped_by_tape = 0, dropped = 0;  // unread; by the tape, the last to hold it; by a handle
  std::uint64_t most = 0;                          // of those watched, held and unread at one time

  std::uint64_t held() const { return watched - read - dropped_by_tape - dropped; }
};

struct StreamFigures {
  std::uint64_t number = 0;
  StreamCounters counters;
};

}  // namespace swage::runlog
