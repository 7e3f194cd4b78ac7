#include <jit/recompute.hpp>

#include <algorithm>
#include <optional>

#include <fmt/format.h>

namespace swage::jit {
namespace {

constexpr std::int64_t kWorthwhile = 4096;  // elements; smaller values stay in the first-level cache
constexpr std::int64_t kSmallShare = 16;    // a value this many times smaller than the group's space costs nothing to load
constexpr std::size_t kMaxCopies = 12;      // records copied for one value

// A few instructions a vector at most.
bool cheap(Op op) {
  switch (op) {
    case Op::add:
    case Op::sub:
    case Op::mul:
    case Op::tanh_grad:
    case Op::sigmoid_grad:
    case Op::neg:
    case Op::square:
    case Op::relu:
    case Op::abs:
    case Op::maximum:
    case Op::minimum:
    case Op::where:
    case Op::eq:
    case Op::ne:
    case Op::lt:
    case Op::le:
    case Op::gt:
    case Op::ge: return true;
    default: return false;
  }
}

class Recomputer {
 public:
  Recomputer(const Trace& trace, const EscapeMask& escapes, Grouping& grouping)
      : trace_(trace),
        escapes_(escapes),
        grouping_(grouping),
        origins_(offset_origins(trace)),
        group_of_(trace.size(), -1),
        writers_(trace.size()) {
    for (std::size_t g = 0; g < grouping.groups.size(); ++g)
      for (RecordIndex i : grouping.groups[g].records) group_of_[i] = static_cast<int>(g);
    for (RecordIndex i = 0; i < trace.size(); ++i)
      if (computes(trace.keys[i]) && trace.keys[i].in_place()) writers_[trace.storages[i]].push_back(i);
  }

  void run() {
    bool changed = false;
    for (std::size_t g = 0; g < grouping_.groups.size(); ++g)
      if (!grouping_.groups[g].library) changed = improve(static_cast<int>(g)) || changed;
    if (!changed) return;
    do {
      count_touches(trace_, grouping_);
    } while (drop_unneeded());
  }

 private:
  std::int64_t numel(RecordIndex i) const { return desc_of(trace_.results[i]).numel(); }
  static std::int64_t bytes_of(const ViewDesc& desc) { return desc.numel() * static_cast<std::int64_t>(size_of(desc.dtype)); }

  // Whether the group finds the storage in memory in any case.
  bool in_memory(RecordIndex storage) const {
    if (trace_.is_input(storage) || escapes_.test(storage) || grouping_.by_library[storage]) return true;
    return kind_of(trace_.keys[storage].op) != OpKind::pointwise;
  }

  // Whether group `g` finds in memory what record `reader` found there.
  bool unchanged(RecordIndex storage, RecordIndex reader, int g) const {
    return std::all_of(writers_[storage].begin(), writers_[storage].end(),
                       [&](RecordIndex w) { return w < reader ? group_of_[w] < g : group_of_[w] > g; });
  }

  // Storages that the group reads and does not make.
  std::vector<RecordIndex> loaded(const Group& group) const {
    std::vector<RecordIndex> storages;
    for (RecordIndex i : group.records)
      for (int k = 0; k < trace_.keys[i].n_operands; ++k) {
        if (!trace_.keys[i].operands[k].is_tensor()) continue;
        const RecordIndex storage = trace_.storages[trace_.operand(i, k)];
        const bool made = std::find(group.records.begin(), group.records.end(), storage) != group.records.end();
        if (!made && std::find(storages.begin(), storages.end(), storage) == storages.end()) storages.push_back(storage);
      }
    return storages;
  }

  // Whether the group reads `value` only where the record that makes it would leave it in a register.
  bool read_in_place(const Group& group, RecordIndex value) const {
    const auto made = access_of(trace_, origins_, value, desc_of(trace_.results[value]).dims, group.space, Level::inner);
    if (!made) return false;
    for (RecordIndex i : group.records) {
      const Dims& dims = extents_of(trace_, i);
      const auto level = level_in(group.space, dims.product());
      for (int k = 0; k < trace_.keys[i].n_operands; ++k) {
        if (!trace_.keys[i].operands[k].is_tensor() || trace_.storages[trace_.operand(i, k)] != value) continue;
        if (level != Level::inner) return false;
        const auto read = access_of(trace_, origins_, trace_.operand(i, k), dims, group.space, *level);
        if (!read || !(*read == *made)) return false;
      }
    }
    return true;
  }

  struct Way {
    std::vector<RecordIndex> copies;
    std::vector<RecordIndex> loads;  // storages that the group did not read so far
    std::int64_t bytes = 0;          // of the loads
  };

  // How group `g` could have `value` without reading it from memory.
  std::optional<Way> way_to(RecordIndex value, int g, const std::vector<RecordIndex>& loads) const {
    Way way;
    if (!expand(value, g, loads, way)) return std::nullopt;
    return way;
  }

  bool expand(RecordIndex i, int g, const std::vector<RecordIndex>& loads, Way& way) const {
    const Group& group = grouping_.groups[static_cast<std::size_t>(g)];
    const KeyHalf& key = trace_.keys[i];
    if (kind_of(key.op) != OpKind::pointwise || key.in_place() || !cheap(key.op) || !writers_[i].empty()) return false;
    if (numel(i) != group.space.numel() || !read_in_place(group, i) || way.copies.size() >= kMaxCopies) return false;
    const Dims& dims = desc_of(trace_.results[i]).dims;
    way.copies.push_back(i);
    for (int k = 0; k < key.n_operands; ++k) {
      if (!key.operands[k].is_tensor()) continue;
      const RecordIndex operand = trace_.operand(i, k), storage = trace_.storages[operand];
      const auto has = [&](const std::vector<RecordIndex>& list) {
        return std::find(list.begin(), list.end(), storage) != list.end();
      };
      if (has(way.copies) || has(group.records)) continue;
      const auto access = access_of(trace_, origins_, operand, dims, group.space, Level::inner);
      if (!access || !unchanged(storage, i, g)) return false;
      if (has(loads) || has(way.loads)) continue;
      const std::int64_t bytes = bytes_of(desc_of(trace_.results[storage]));
      if (numel(storage) * kSmallShare <= group.space.numel()) {
        way.loads.push_back(storage);
        continue;
      }
      Way further = way;
      if (operand == storage && expand(operand, g, loads, further) && (!in_memory(storage) || further.bytes == way.bytes)) {
        way = std::move(further);
      } else if (in_memory(storage)) {
        way.loads.push_back(storage);
        way.bytes += bytes;
      } else {
        return false;
      }
    }
    return true;
  }

  bool improve(int g) {
    Group& group = grouping_.groups[static_cast<std::size_t>(g)];
    if (group.space.numel() < kWorthwhile) return false;
    bool changed = false;
    std::vector<RecordIndex> loads = loaded(group);
    for (bool again = true; again;) {
      again = false;
      for (RecordIndex value : loads) {
        if (group_of_[value] < 0 || group_of_[value] >= g) continue;
        if (group.records.size() + kMaxCopies > kMaxGroupRecords || loads.size() + 4 > kMaxGroupAccesses) return changed;
        std::vector<RecordIndex> others = loads;
        std::erase(others, value);
        const auto way = way_to(value, g, others);
        if (!way || way->bytes + in_memory(value) > bytes_of(desc_of(trace_.results[value]))) continue;
        for (RecordIndex copy : way->copies) {
          group.copies.push_back(copy);
          group.records.push_back(copy);
        }
        std::sort(group.copies.begin(), group.copies.end());
        std::sort(group.records.begin(), group.records.end());
        grouping_.notes.push_back(fmt::format("record {} ({}) is computed again in group {}: that is cheaper than to store it",
                                              value, name_of(trace_.keys[value].op), g));
        loads = loaded(group);
        changed = again = true;
        break;
      }
    }
    return changed;
  }

  // Takes out of each fused group what neither it nor anybody else reads; true if something went.
  bool drop_unneeded() {
    bool dropped = false;
    for (std::size_t g = 0; g < grouping_.groups.size(); ++g) {
      Group& group = grouping_.groups[g];
      if (group.library) continue;
      std::vector<RecordIndex> read;  // storages, by the records that stay
      std::vector<RecordIndex> kept;
      for (std::size_t k = group.records.size(); k-- > 0;) {
        const RecordIndex i = group.records[k], storage = trace_.storages[i];
        const bool inside = std::find(read.begin(), read.end(), storage) != read.end();
        if (!inside && !grouping_.stored(trace_, escapes_, storage, static_cast<int>(g))) {
          dropped = true;
          std::erase(group.copies, i);
          continue;
        }
        kept.push_back(i);
        for (int a = 0; a < trace_.keys[i].n_operands; ++a)
          if (trace_.keys[i].operands[a].is_tensor()) read.push_back(trace_.storages[trace_.operand(i, a)]);
      }
      group.records.assign(kept.rbegin(), kept.rend());
    }
    return dropped;
  }

  const Trace& trace_;
  const EscapeMask& escapes_;
  Grouping& grouping_;
  std::vector<RecordIndex> origins_;
  std::vector<int> group_of_;                      // by record; -1 for none
  std::vector<std::vector<RecordIndex>> writers_;  // by storage: records that write it in place
};

}  // namespace

void recompute_values(const Trace& trace, const EscapeMask& escapes, Grouping& grouping) {
  Recomputer(trace, escapes, grouping).run();
}

}  // namespace swage::jit
