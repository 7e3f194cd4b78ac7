#include <runtime/trace/trace.hpp>

#include <bit>

namespace swage {

bool EscapeMask::subset_of(const EscapeMask& other) const {
  for (std::size_t i = 0; i < words_.size(); ++i)
    if (words_[i] & ~(i < other.words_.size() ? other.words_[i] : 0)) return false;
  return true;
}

void EscapeMask::merge(const EscapeMask& other) {
  if (words_.size() < other.words_.size()) words_.resize(other.words_.size());
  for (std::size_t i = 0; i < other.words_.size(); ++i) words_[i] |= other.words_[i];
}

std::size_t EscapeMask::count() const {
  std::size_t count = 0;
  for (std::uint64_t word : words_) count += static_cast<std::size_t>(std::popcount(word));
  return count;
}

std::size_t Trace::n_ops() const {
  std::size_t ops = 0;
  for (const KeyHalf& key : keys) ops += kind_of(key.op) != OpKind::structure;
  return ops;
}

RecordIndex storage_of(const KeyHalf& key, RecordIndex i, const std::vector<RecordIndex>& storages) {
  const bool shares = key.op == Op::input ? key.operands[0].ref > 0 : kind_of(key.op) == OpKind::view || key.in_place();
  return shares ? storages[i - static_cast<RecordIndex>(key.operands[0].ref)] : i;
}

void complete(Trace& trace) {
  const auto n = static_cast<RecordIndex>(trace.size());
  trace.storages.clear();
  trace.storages.reserve(n);
  trace.last_use.assign(n, 0);
  trace.sites.resize(n);
  trace.hash = 0;
  for (RecordIndex i = 0; i < n; ++i) {
    const KeyHalf& key = trace.keys[i];
    trace.hash = mix_key(trace.hash, key);
    trace.storages.push_back(storage_of(key, i, trace.storages));
    trace.last_use[trace.storages[i]] = i;
    if (key.op == Op::input) continue;
    for (int k = 0; k < key.n_operands; ++k)
      if (key.operands[k].is_tensor()) trace.last_use[trace.storages[trace.operand(i, k)]] = i;
  }
  trace.cells.assign(1, {0, n});
}

}  // namespace swage
