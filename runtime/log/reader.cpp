#include <runtime/log/reader.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include <runtime/core/error.hpp>
#include <runtime/trace/validate.hpp>

namespace swage::runlog {
namespace {

// The fields of what was written as plain bytes.
struct PlainHeader {
  Constants constants;
  std::uint64_t checksum = 0;
  std::uint64_t decisions = 0, hits = 0, blob_bytes = 0, lost_blobs = 0, last_ns = 0, ended_ns = 0;
  std::uint64_t compiles = 0, assembled = 0, compile_failures = 0, compile_ns = 0, compile_ns_at_most = 0;
};
static_assert(sizeof(PlainHeader) == sizeof(Header));
struct PlainStream {
  std::uint64_t number = 0, ops = 0, compiled_ops = 0, windows = 0, hits = 0, misses = 0, side_exits = 0, traces = 0;
};
static_assert(sizeof(PlainStream) == sizeof(StreamFigures) && sizeof(PlainStream) == sizeof(Run::Stream));

// Content that is used up from the front.
class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : bytes_(bytes) {}
  template <class T>
  bool take(T& value) {
    if (bytes_.size() < sizeof value) return false;
    std::memcpy(static_cast<void*>(&value), bytes_.data(), sizeof value);
    bytes_.remove_prefix(sizeof value);
    return true;
  }
  template <class T>
  bool take(std::vector<T>& values, std::uint64_t n) {
    if (n > bytes_.size() / sizeof(T)) return false;
    values.resize(n);
    if (n > 0) std::memcpy(static_cast<void*>(values.data()), bytes_.data(), n * sizeof(T));
    bytes_.remove_prefix(n * sizeof(T));
    return true;
  }
  bool take(std::string& text, std::uint64_t n) {
    if (n > bytes_.size()) return false;
    text = bytes_.substr(0, n);
    bytes_.remove_prefix(n);
    return true;
  }
  std::string_view rest() const { return bytes_; }

 private:
  std::string_view bytes_;
};

constexpr std::uint64_t kSaid = 8;  // traces that are left out, each with its reason

bool is_extent(std::int64_t value) { return value >= 0 && value < std::int64_t{1} << 48; }

// What may be printed: no control characters that a terminal obeys, no bytes that are not UTF-8.
std::string readable(std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    const auto first = static_cast<unsigned char>(bytes.front());
    const std::size_t n = first < 0x80                    ? 1
                          : first >= 0xC2 && first < 0xE0 ? 2
                          : first >= 0xE0 && first < 0xF0 ? 3
                          : first >= 0xF0 && first < 0xF5 ? 4
                                                          : 0;
    bool good = n > 0 && n <= bytes.size() && (first >= 0x20 ? first != 0x7F : first == '\n' || first == '\t');
    for (std::size_t k = 1; good && k < n; ++k) good = (static_cast<unsigned char>(bytes[k]) & 0xC0) == 0x80;
    if (good && n > 2) {  // longer than need be, half a pair, or beyond the last code point
      const auto second = static_cast<unsigned char>(bytes[1]);
      good = !(first == 0xE0 && second < 0xA0) && !(first == 0xED && second >= 0xA0) && !(first == 0xF0 && second < 0x90) &&
             !(first == 0xF4 && second >= 0x90);
    }
    text += good ? bytes.substr(0, n) : "?";
    bytes.remove_prefix(good ? n : 1);
  }
  return text;
}

class Reading {
 public:
  Reading(std::string_view bytes, Run& run) : bytes_(bytes), run_(run) {}

  void all() {
    read_header();
    read_blobs();
    read_ring(header_.constants.decisions_at, header_.constants.decisions);
    read_ring(header_.constants.hits_at, header_.constants.hits);
    std::ranges::stable_sort(run_.events, {}, &EventEntry::ns);
    if (torn_ > 0)
      run_.damage.push_back(
          fmt::format("{} event{} could not be read: damaged, or being written", torn_, torn_ == 1 ? "" : "s"));
    if (refused_ > kSaid) run_.damage.push_back(fmt::format("{} more traces are left out", refused_ - kSaid));
    if (odd_ > 0) run_.damage.push_back(fmt::format("{} entries that make no sense are left out", odd_));
    if (run_.lost_blobs > 0)
      run_.damage.push_back(fmt::format("there was no room for {} traces, plans or remarks", run_.lost_blobs));
  }

 private:
  void read_header() {
    const std::string name = run_.path.empty() ? "this" : run_.path.string();
    Bytes from(bytes_);
    if (bytes_.size() < sizeof kMagic || std::memcmp(bytes_.data(), kMagic.data(), sizeof kMagic) != 0)
      raise<ValueError>({}, "{} is not a run's log", name);
    Constants constants;
    if (!from.take(constants)) raise<ValueError>({}, "{} is not a run's log: it ends after {} bytes", name, bytes_.size());
    if (constants.version != kVersion)
      raise<ValueError>({}, "{} is a log of version {}, this command reads version {}", name, constants.version, kVersion);
    Bytes whole(bytes_);
    if (!whole.take(header_)) raise<ValueError>({}, "{} is not a run's log: it ends after {} bytes", name, bytes_.size());
    if (header_.checksum != digest({reinterpret_cast<const char*>(&constants), sizeof constants}, kVersion))
      raise<ValueError>({}, "{} is not a run's log: its header is damaged", name);
    run_.pid = constants.pid;
    run_.started_ns = constants.started_ns;
    run_.last_ns = header_.last_ns;
    run_.ended = header_.ended_ns != 0;
    run_.compiles = header_.compiles;
    run_.assembled = header_.assembled;
    run_.compile_failures = header_.compile_failures;
    run_.compile_ns = header_.compile_ns;
    run_.compile_ns_at_most = header_.compile_ns_at_most;
    run_.lost_blobs = header_.lost_blobs;
    run_.decisions = header_.decisions;
    run_.hit_events = header_.hits;
  }

  std::string_view part(std::uint64_t at, std::uint64_t bytes) const {
    return at >= bytes_.size() ? std::string_view() : bytes_.substr(at, bytes);
  }

  void read_blobs() {
    const std::uint64_t written = std::min(header_.blob_bytes, header_.constants.blobs);
    std::string_view blobs = part(header_.constants.blobs_at, written);
    if (blobs.size() < written)
      run_.damage.push_back(fmt::format("the file ends {} bytes before what was written does", written - blobs.size()));
    const std::size_t all = blobs.size();
    while (!blobs.empty()) {
      Bytes from(blobs);
      BlobHeader header;
      if (!from.take(header) || header.bytes > from.rest().size()) return stopped(all - blobs.size(), all);
      const std::string_view content = from.rest().substr(0, header.bytes);
      const BlobHeader plain{header.bytes, header.kind, 0};
      if (header.checksum != checksum_of(plain, content)) return stopped(all - blobs.size(), all);
      if (!read_blob(header.kind, content)) ++odd_;
      blobs.remove_prefix(std::min(blobs.size(), sizeof header + padded(header.bytes)));
    }
  }
  void stopped(std::size_t at, std::size_t all) {
    run_.damage.push_back(
        fmt::format("what was stored is damaged {} bytes in: the {} bytes from there on are left out", at, all - at));
  }

  bool read_blob(BlobKind kind, std::string_view content) {
    Bytes from(content);
    switch (kind) {
      case BlobKind::descriptor: return read_descriptor(from);
      case BlobKind::attribute: return read_attribute(from);
      case BlobKind::trace: return read_trace(from);
      case BlobKind::plan: return read_plan(from);
      case BlobKind::refusal: {
        std::uint32_t id = 0;
        TraceEntry* const entry = from.take(id) ? entry_of(id) : nullptr;
        if (!entry) return left_out_.contains(id);
        entry->refusal = readable(from.rest());
        return true;
      }
      case BlobKind::remark: run_.remarks.push_back(readable(content)); return true;
      case BlobKind::command: run_.command = readable(content); return true;
      case BlobKind::module: return read_module(from);
      case BlobKind::sites: return read_sites(from);
      case BlobKind::figures: return read_figures(from);
      case BlobKind::escape: return read_escape(from);
      case BlobKind::stream: {
        PlainStream stream;
        if (!from.take(stream)) return false;
        run_.streams.push_back({stream.number, stream.ops, stream.compiled_ops, stream.windows, stream.hits, stream.misses,
                                stream.side_exits, stream.traces});
        return true;
      }
    }
    return false;
  }

  bool read_descriptor(Bytes from) {
    DescriptorBlob blob;
    if (!from.take(blob) || blob.dtype >= kDTypes || blob.rank > kMaxRank) return false;
    ViewDesc desc;
    desc.dtype = static_cast<DType>(blob.dtype);
    for (std::uint32_t d = 0; d < blob.rank; ++d) {
      if (!is_extent(blob.extents[d]) || !is_extent(blob.strides[d])) return false;
      desc.dims.push_back(blob.extents[d]);
      desc.strides.push_back(blob.strides[d]);
    }
    descriptors_[blob.id] = intern(desc);
    return true;
  }

  bool read_attribute(Bytes from) {
    AttributeBlob blob;
    Attribute attribute;
    if (!from.take(blob) || blob.dtype >= kDTypes || !from.take(attribute.ints, blob.n_ints)) return false;
    attribute.dtype = static_cast<DType>(blob.dtype);
    attribute.real = blob.real;
    attributes_[blob.id] = intern(attribute);
    return true;
  }

  // Ids as this process has them.
  bool translate(KeyHalf& key) const {
    if (static_cast<std::size_t>(key.op) >= kOps || key.n_operands > 3) return false;
    if (key.attr != 0) {
      const auto attribute = attributes_.find(key.attr);
      if (attribute == attributes_.end()) return false;
      key.attr = attribute->second;
    }
    for (int k = 0; k < 3; ++k) {
      OperandKey& operand = key.operands[k];
      if (!operand.is_tensor() && !(key.op == Op::input && k == 0)) continue;
      const auto desc = descriptors_.find(operand.desc);
      if (desc == descriptors_.end()) return false;
      operand.desc = desc->second;
    }
    return what_is_wrong(key).empty();
  }

  bool read_trace(Bytes from) {
    TraceBlob blob;
    TraceEntry entry;
    Trace& trace = entry.trace;
    std::vector<std::uint64_t> sites;
    if (!from.take(blob) || blob.records == 0 || blob.records > kMaxWindow || entry_of(blob.id)) return false;
    if (!from.take(trace.keys, blob.records) || !from.take(trace.results, blob.records) || !from.take(sites, blob.records))
      return false;
    for (std::uint32_t i = 0; i < blob.records; ++i) {
      trace.sites.push_back({reinterpret_cast<const void*>(sites[i])});  // NOLINT(performance-no-int-to-ptr)
      if (!translate(trace.keys[i])) return refuse_trace(blob.id, fmt::format("record {} is none", i));
      if (trace.keys[i].op == Op::cut) {
        trace.results[i] = 0;
        continue;
      }
      const auto desc = descriptors_.find(trace.results[i]);
      if (desc == descriptors_.end()) return refuse_trace(blob.id, fmt::format("record {}: its result is not described", i));
      trace.results[i] = desc->second;
    }
    if (const std::string wrong = what_is_wrong(trace); !wrong.empty()) return refuse_trace(blob.id, wrong);
    trace.id = blob.id;
    complete(trace);
    places_[blob.id] = run_.traces.size();
    run_.traces.push_back(std::move(entry));
    return true;
  }
  bool refuse_trace(std::uint32_t id, const std::string& why) {
    left_out_.insert(id);
    if (refused_++ < kSaid) run_.damage.push_back(fmt::format("trace t{} is left out: {}", id, why));
    return true;  // said already
  }

  bool read_sites(Bytes from) {
    TraceBlob blob;
    std::vector<std::uint64_t> sites;
    TraceEntry* const entry = from.take(blob) ? entry_of(blob.id) : nullptr;
    if (!entry) return left_out_.contains(blob.id);
    if (blob.records != entry->trace.size() || !from.take(sites, blob.records)) return false;
    for (std::uint32_t i = 0; i < blob.records; ++i)
      entry->trace.sites[i] = {reinterpret_cast<const void*>(sites[i])};  // NOLINT(performance-no-int-to-ptr)
    return true;
  }

  bool read_plan(Bytes from) {
    PlanBlob blob;
    if (!from.take(blob)) return false;
    TraceEntry* const entry = entry_of(blob.trace);
    std::vector<std::uint64_t> words;
    if (!entry) return left_out_.contains(blob.trace);
    if (blob.mask_words > kMaxWindow / 64 + 1 || !from.take(words, blob.mask_words)) return false;
    PlanEntry plan{++plans_,
                   blob.tight != 0,
                   blob.groups,
                   blob.fused_ops,
                   blob.library_calls,
                   blob.generated,
                   blob.arena_bytes,
                   std::isfinite(blob.ms) ? blob.ms : 0,
                   EscapeMask(entry->trace.size()),
                   readable(from.rest())};
    for (RecordIndex i = 0; i < words.size() * 64; ++i) {
      if (!(words[i / 64] >> (i % 64) & 1)) continue;
      if (i >= entry->trace.size()) return false;
      plan.escapes.set(i);
    }
    if (!what_is_wrong(entry->trace, plan.escapes).empty()) return false;
    entry->plans.push_back(std::move(plan));
    return true;
  }

  bool read_figures(Bytes from) {
    TraceFigures figures;
    if (!from.take(figures)) return false;
    TraceEntry* const entry = entry_of(figures.trace);
    if (!entry) return left_out_.contains(figures.trace);
    for (double* value : {&figures.eager_ns, &figures.eager_best_ns, &figures.plan_best_ns, &figures.saving_ns})
      if (!std::isfinite(*value)) *value = 0;
    entry->figures = figures;
    return true;
  }

  bool read_escape(Bytes from) {
    EscapeFigures figures;
    if (!from.take(figures)) return false;
    TraceEntry* const entry = entry_of(figures.trace);
    if (!entry || figures.storage >= entry->trace.size()) return false;
    entry->escapes.push_back(figures);
    return true;
  }

  bool read_module(Bytes from) {
    ModuleBlob blob;
    ModuleEntry module;
    if (!from.take(blob) || !from.take(module.build_id, blob.build_id_bytes)) return false;
    module.bias = blob.bias;
    module.begin = blob.begin;
    module.end = blob.end;
    module.path = readable(from.rest());
    run_.modules.push_back(std::move(module));
    return true;
  }

  void read_ring(std::uint64_t at, std::uint64_t capacity) {
    Bytes from(part(at, std::min(capacity, bytes_.size()) * sizeof(LoggedEvent)));
    for (LoggedEvent event; from.take(event);) {
      if (event.sequence == 0 && event.ns == 0) continue;
      if (event.checksum != checksum_of(event)) {
        ++torn_;
        continue;
      }
      if (event.key.op != Op::none && !translate(event.key)) event.key = {};
      run_.events.push_back({event.sequence, event.ns, event.until_ns, reinterpret_cast<std::uint64_t>(event.site), event.code,
                             event.trace, event.position, event.value, event.stream, event.key});
    }
  }

  TraceEntry* entry_of(std::uint32_t id) {
    const auto found = places_.find(id);
    return found == places_.end() ? nullptr : &run_.traces[found->second];
  }

  std::string_view bytes_;
  Run& run_;
  PlainHeader header_;
  std::unordered_map<DescId, DescId> descriptors_;
  std::unordered_map<AttrId, AttrId> attributes_;
  std::unordered_map<std::uint32_t, std::size_t> places_;
  std::unordered_set<std::uint32_t> left_out_;  // traces: what else is told of them is no damage of its own
  std::uint32_t plans_ = 0;
  std::uint64_t torn_ = 0, odd_ = 0, refused_ = 0;
};

}  // namespace

Run::Stream Run::all_streams() const {
  Stream all;
  for (const Stream& one : streams) {
    all.ops += one.ops;
    all.compiled_ops += one.compiled_ops;
    all.windows += one.windows;
    all.hits += one.hits;
    all.misses += one.misses;
    all.side_exits += one.side_exits;
    all.traces += one.traces;
  }
  return all;
}

const TraceEntry* Run::find(std::uint32_t trace) const {
  const auto found = std::ranges::find(traces, trace, [](const TraceEntry& entry) { return entry.trace.id; });
  return found == traces.end() ? nullptr : &*found;
}

Run read(std::string_view bytes, const std::filesystem::path& path) {
  Run run;
  run.path = path;
  Reading(bytes, run).all();
  return run;
}

Run read(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) raise<IoError>({}, "{} cannot be read: it is no file", path.string());
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  std::string bytes;
  if (file) {
    bytes.resize(static_cast<std::size_t>(std::max<std::streamoff>(0, file.tellg())));
    file.seekg(0);
    file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    bytes.resize(static_cast<std::size_t>(file.gcount()));  // it may have been cut off meanwhile
  }
  if (!file && bytes.empty()) raise<IoError>({}, "{} cannot be read", path.string());
  return read(bytes, path);
}

}  // namespace swage::runlog
