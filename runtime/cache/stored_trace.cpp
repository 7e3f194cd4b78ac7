#include <runtime/cache/stored_trace.hpp>

#include <bit>
#include <unordered_map>

#include <fmt/format.h>

#include <runtime/cache/build_id.hpp>
#include <runtime/cache/plan_cache.hpp>

namespace swage {
namespace {

// Numbers of a varying number of bytes, seven bits each; small ones are most of a trace.
class Writer {
 public:
  void add(std::uint64_t word) {
    for (; word >= 0x80; word >>= 7) text_.push_back(static_cast<char>(word | 0x80));
    text_.push_back(static_cast<char>(word));
  }
  void add_signed(std::int64_t value) {
    const auto word = static_cast<std::uint64_t>(value);
    add(word << 1 ^ (value < 0 ? ~std::uint64_t{0} : 0));
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}
  std::uint64_t word() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64 && !text_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(text_.front());
      text_.remove_prefix(1);
      value |= std::uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return value;
    }
    good_ = false;
    return 0;
  }
  std::int64_t signed_word() {
    const std::uint64_t folded = word();
    return static_cast<std::int64_t>(folded >> 1 ^ (folded & 1 ? ~std::uint64_t{0} : 0));
  }
  // A count or code below `bound`.
  std::uint64_t below(std::uint64_t bound) {
    const std::uint64_t value = word();
    good_ = good_ && value < bound;
    return good_ ? value : 0;
  }
  bool good() const { return good_; }
  bool at_end() const { return good_ && text_.empty(); }

 private:
  std::string_view text_;
  bool good_ = true;
};

// Whether the second half of operand `k` is a descriptor's id, not a scalar's class.
bool has_descriptor(const KeyHalf& key, int k) { return key.operands[k].is_tensor() || (key.op == Op::input && k == 0); }

// Ids as they come, numbered anew.
template <class Id>
class Numbering {
 public:
  std::uint64_t of(Id id) {
    const auto [entry, is_new] = numbers_.emplace(id, ids_.size());
    if (is_new) ids_.push_back(id);
    return entry->second;
  }
  const std::vector<Id>& ids() const { return ids_; }

 private:
  std::unordered_map<Id, std::uint64_t> numbers_;
  std::vector<Id> ids_;
};

}  // namespace

std::string trace_key(const Trace& trace) {
  Numbering<DescId> descs;
  Numbering<AttrId> attributes;
  Writer records;
  for (std::size_t i = 0; i < trace.size(); ++i) {
    const KeyHalf& key = trace.keys[i];
    records.add(static_cast<std::uint64_t>(key.op));
    records.add(key.n_operands);
    records.add(key.flags);
    records.add(attributes.of(key.attr));
    for (int k = 0; k < 3; ++k) {
      records.add_signed(key.operands[k].ref);
      records.add(has_descriptor(key, k) ? descs.of(key.operands[k].desc) : key.operands[k].desc);
    }
    if (key.op != Op::cut) records.add(descs.of(trace.results[i]));
  }
  Writer text;
  text.add(descs.ids().size());
  for (DescId id : descs.ids()) {
    const ViewDesc& desc = desc_of(id);
    text.add(static_cast<std::uint64_t>(desc.dtype));
    text.add(static_cast<std::uint64_t>(desc.rank()));
    for (std::int64_t extent : desc.dims) text.add_signed(extent);
    for (std::int64_t stride : desc.strides) text.add_signed(stride);
  }
  text.add(attributes.ids().size());
  for (AttrId id : attributes.ids()) {
    const Attribute& attribute = attribute_of(id);
    text.add(attribute.ints.size());
    for (std::int64_t value : attribute.ints) text.add_signed(value);
    text.add(std::bit_cast<std::uint64_t>(attribute.real));
    text.add(static_cast<std::uint64_t>(attribute.dtype));
  }
  text.add(trace.size());
  return text.take() + records.take();
}

std::optional<Trace> trace_of_key(std::string_view key) {
  Reader text(key);
  std::vector<DescId> descs(text.below(key.size() + 1));
  for (DescId& id : descs) {
    ViewDesc desc;
    desc.dtype = static_cast<DType>(text.below(kDTypes));
    const auto rank = static_cast<int>(text.below(kMaxRank + 1));
    for (int d = 0; d < rank; ++d) desc.dims.push_back(text.signed_word());
    for (int d = 0; d < rank; ++d) desc.strides.push_back(text.signed_word());
    if (!text.good()) return std::nullopt;
    id = intern(desc);
  }
  std::vector<AttrId> attributes(text.below(key.size() + 1));
  for (AttrId& id : attributes) {
    Attribute attribute;
    attribute.ints.resize(text.below(key.size() + 1));
    for (std::int64_t& value : attribute.ints) value = text.signed_word();
    attribute.real = std::bit_cast<double>(text.word());
    attribute.dtype = static_cast<DType>(text.below(kDTypes));
    if (!text.good()) return std::nullopt;
    id = intern(attribute);
  }
  const std::uint64_t n = text.below(std::min<std::uint64_t>(key.size(), kMaxWindow) + 1);
  Trace trace;
  trace.keys.resize(n);
  trace.results.assign(n, 0);
  for (std::uint64_t i = 0; i < n; ++i) {
    KeyHalf& record = trace.keys[i];
    record.op = static_cast<Op>(text.below(kOps));
    record.n_operands = static_cast<std::uint8_t>(text.below(4));
    record.flags = static_cast<std::uint8_t>(text.below(256));
    const std::uint64_t attribute = text.below(attributes.size());
    if (!text.good()) return std::nullopt;
    record.attr = attributes[attribute];
    for (int k = 0; k < 3; ++k) {
      const std::int64_t ref = text.signed_word();
      if (ref > static_cast<std::int64_t>(i) || ref < kLiteral) return std::nullopt;
      record.operands[k].ref = static_cast<std::int32_t>(ref);
      const std::uint64_t desc = text.below(has_descriptor(record, k) ? descs.size() : std::uint64_t{kDTypes});
      if (!text.good()) return std::nullopt;
      record.operands[k].desc = has_descriptor(record, k) ? descs[desc] : static_cast<DescId>(desc);
    }
    // The last record, and no other, is the cut; a view or a write in place is one of something.
    if ((record.op == Op::cut) != (i + 1 == n)) return std::nullopt;
    const bool shares = kind_of(record.op) == OpKind::view || (record.in_place() && record.op != Op::input);
    if (record.op == Op::none || (shares && !record.operands[0].is_tensor())) return std::nullopt;
    if (record.op == Op::cut) continue;
    const std::uint64_t result = text.below(descs.size());
    if (!text.good()) return std::nullopt;
    trace.results[i] = descs[result];
  }
  if (!text.at_end() || n == 0) return std::nullopt;
  complete(trace);
  return trace;
}

const std::string& trace_environment() {
  static const std::string text = fmt::format("swage trace 1; build {}", own_build_id());
  return text;
}

std::optional<StoredTrace> stored_trace_of(const Entry& entry, std::string& why_not) {
  std::optional<Trace> trace = trace_of_key(entry.key);
  if (!trace) {
    why_not = "it holds no trace";
    return std::nullopt;
  }
  StoredTrace stored;
  stored.escapes = EscapeMask(trace->size());
  Reader payload(entry.payload);
  stored.eager_ns = std::bit_cast<double>(payload.word());
  while (payload.good() && !payload.at_end()) stored.escapes.set(static_cast<RecordIndex>(payload.below(trace->size())));
  if (!payload.good()) {
    why_not = "its escapes are none of its records";
    return std::nullopt;
  }
  stored.trace = std::move(*trace);
  return stored;
}

void store_trace(const Trace& trace, const EscapeMask& escapes, double eager_ns) {
  EntryFolder* const cache = plan_cache();
  if (!cache) return;
  Writer payload;
  payload.add(std::bit_cast<std::uint64_t>(eager_ns));
  for (RecordIndex i = 0; i < trace.size(); ++i)
    if (escapes.test(i)) payload.add(i);
  cache->store({kTraceKind, trace_environment(), trace_key(trace)}, payload.take());
}

void drop_trace(const Trace& trace) {
  if (EntryFolder* const cache = plan_cache()) cache->drop({kTraceKind, trace_environment(), trace_key(trace)});
}

std::vector<StoredTrace> load_traces(std::size_t most) {
  std::vector<StoredTrace> traces;
  EntryFolder* const cache = cache_lookups_allowed() ? plan_cache() : nullptr;
  if (!cache) return traces;
  for (const EntryInfo& info : cache->list(kTraceKind, trace_environment())) {
    if (traces.size() == most) break;
    const std::optional<Entry> entry = cache->read(info.name);
    if (!entry) continue;
    if (entry->environment != trace_environment()) {
      cache->reject(info.name, "it was made by or for something else: " + entry->environment);
      continue;
    }
    std::string why_not;
    std::optional<StoredTrace> stored = stored_trace_of(*entry, why_not);
    if (stored)
      traces.push_back(std::move(*stored));
    else
      cache->reject(info.name, why_not);
  }
  return traces;
}

}  // namespace swage
