#include <jit/fusion.hpp>

#include <algorithm>

#include <fmt/format.h>

#include <runtime/core/planted_fault.hpp>

namespace swage::jit {
namespace {

constexpr int kSearch = 8;              // groups looked at for a record that depends on none of them
constexpr std::size_t kSmallGroup = 8;  // records; a larger group takes only records that share an access with it

struct Touch {
  Access access;
  bool write = false;
  Level level = Level::inner;
  int pass = 0;  // writes: how many reductions of the group lie before the value
};

struct OpenGroup {
  Group group;
  std::vector<Touch> touches;
};

// What a record adds to a group, or why it cannot join.
struct Joining {
  Space space;
  std::vector<Touch> rearranged;  // the group's touches, if the space changed
  std::vector<Touch> touches;
  bool shares = false;
  const char* refusal = nullptr;
};

bool fusible(const Trace& trace, RecordIndex i) {
  const KeyHalf& key = trace.keys[i];
  const OpKind kind = kind_of(key.op);
  if (desc_of(trace.results[i]).numel() == 0) return false;
  if (kind == OpKind::pointwise || key.op == Op::full) return true;
  if (kind != OpKind::reduction || key.op == Op::argmax) return false;
  const std::int64_t in = desc_of(trace.results[trace.operand(i, 0)]).numel();
  return in != 0 && in != desc_of(trace.results[i]).numel();
}

class Grouper {
 public:
  Grouper(const Trace& trace, const std::vector<bool>& alone) : trace_(trace), alone_(alone), origins_(offset_origins(trace)) {
    const std::size_t n = trace.size();
    result_.last_touch.assign(n, -1);
    last_write_.assign(n, -1);
    first_write_.assign(n, -1);
  }

  Grouping run() {
    for (RecordIndex i = 0; i < trace_.size(); ++i)
      if (computes(trace_.keys[i])) place(i);
    for (OpenGroup& open : groups_) result_.groups.push_back(std::move(open.group));
    count_touches(trace_, result_);
    return std::move(result_);
  }

 private:
  void place(RecordIndex i) {
    const int latest = latest_dependence(i);
    if ((!alone_.empty() && alone_[i]) || !fusible(trace_, i)) return open_library(i);

    const char* why = nullptr;
    const int n = static_cast<int>(groups_.size());
    if (latest >= 0) {
      const Joining joining = join(groups_[static_cast<std::size_t>(latest)], i);
      if (!joining.refusal) return add(latest, i, joining);
      why = joining.refusal;
    }
    const bool reduces = kind_of(trace_.keys[i].op) == OpKind::reduction;
    const char* why_not_last = latest == n - 1 ? why : nullptr;
    for (int g = n - 1; g > latest && g >= n - kSearch; --g) {
      const OpenGroup& open = groups_[static_cast<std::size_t>(g)];
      const Joining joining = join(open, i);
      if (!joining.refusal && (joining.shares || (!reduces && open.group.records.size() < kSmallGroup)))
        return add(g, i, joining);
      if (g == n - 1) why_not_last = joining.refusal ? joining.refusal : "they share nothing";
    }
    open_fused(i, latest, why, why_not_last);
  }

  int latest_dependence(RecordIndex i) const {
    const KeyHalf& key = trace_.keys[i];
    const std::vector<int>& written = planted(PlantedFault::alias) ? first_write_ : last_write_;
    int latest = -1;
    for (int k = 0; k < key.n_operands; ++k)
      if (key.operands[k].is_tensor()) latest = std::max(latest, written[trace_.storages[trace_.operand(i, k)]]);
    if (key.in_place()) latest = std::max(latest, result_.last_touch[trace_.storages[i]]);
    return latest;
  }

  // The touches of record `i` in `space`; false where they are not affine in it.
  bool touches_of(RecordIndex i, const Space& space, std::vector<Touch>& touches) const {
    const KeyHalf& key = trace_.keys[i];
    const bool reduces = kind_of(key.op) == OpKind::reduction;
    const Dims& dims = extents_of(trace_, i);
    const auto level = level_in(space, dims.product());
    if (!level || (reduces && *level != Level::inner)) return false;
    for (int k = 0; k < key.n_operands; ++k) {
      if (!key.operands[k].is_tensor() || (key.op == Op::assign && k == 0)) continue;
      const auto access = access_of(trace_, origins_, trace_.operand(i, k), dims, space, *level);
      if (!access) return false;
      touches.push_back({*access, false, *level});
    }
    const Level result_level = reduces ? Level::row : *level;
    const auto access = access_of(trace_, origins_, i, desc_of(trace_.results[i]).dims, space, result_level);
    if (!access) return false;
    touches.push_back({*access, true, result_level});
    return true;
  }

  // The space that the group would have with record `i` in it; rank and extents of the group where they fit.
  bool common_space(const OpenGroup& open, RecordIndex i, Space& space) const {
    space = open.group.space;
    if (kind_of(trace_.keys[i].op) != OpKind::reduction) return true;
    const Space wanted{extents_of(trace_, i), reduced_dims(trace_, i)};
    if (space.reduced == 0 && space.numel() == wanted.numel()) space = wanted;
    return space == wanted;
  }

  Joining join(const OpenGroup& open, RecordIndex i) const {
    Joining joining;
    const auto refuse = [&](const char* why) {
      joining.refusal = why;
      return joining;
    };
    if (open.group.library) return refuse("that is a library call");
    if (open.group.records.size() >= kMaxGroupRecords) return refuse("the group is full");
    if (!common_space(open, i, joining.space)) return refuse("it reduces over other dimensions");
    const std::vector<Touch>* touches = &open.touches;
    if (!(joining.space == open.group.space)) {
      for (RecordIndex member : open.group.records)
        if (!touches_of(member, joining.space, joining.rearranged)) return refuse("the shapes do not line up");
      for (std::size_t t = 0; t < joining.rearranged.size(); ++t) joining.rearranged[t].pass = open.touches[t].pass;
      touches = &joining.rearranged;
    }
    if (!touches_of(i, joining.space, joining.touches)) return refuse("it runs over other extents");
    if (overlaps_itself(joining.touches)) return refuse("it reads what it overwrites through another view");

    Touch& result = joining.touches.back();
    for (const Touch& touch : joining.touches) {
      for (const Touch& old : *touches) {
        if (old.access.storage != touch.access.storage) continue;
        if ((old.write || touch.write) && !(old.access == touch.access))
          return refuse("it needs other elements of a value that is still being made");
        if (!(old.access == touch.access)) continue;
        joining.shares = true;
        if (old.write && !touch.write)
          result.pass = std::max(result.pass, old.pass + (old.level == Level::row && touch.level == Level::inner));
      }
    }
    if (too_many(*touches, joining.touches)) return refuse("the group touches too many tensors");
    if (result.pass >= kMaxGroupPasses) return refuse("the group passes over its rows too often");
    return joining;
  }

  // Values that a group makes and hands on in registers count little.
  static bool too_many(const std::vector<Touch>& touches, const std::vector<Touch>& more) {
    std::vector<const Access*> distinct;
    std::size_t outside = 0;
    for (const auto* list : {&touches, &more})
      for (const Touch& touch : *list) {
        if (std::any_of(distinct.begin(), distinct.end(), [&](const Access* a) { return *a == touch.access; })) continue;
        distinct.push_back(&touch.access);
        outside += !touch.write;
      }
    return outside > kMaxGroupAccesses || distinct.size() > kMaxGroupValues;
  }

  void add(int g, RecordIndex i, const Joining& joining) {
    OpenGroup& open = groups_[static_cast<std::size_t>(g)];
    if (!(joining.space == open.group.space)) {
      open.group.space = joining.space;
      open.touches = joining.rearranged;
    }
    open.touches.insert(open.touches.end(), joining.touches.begin(), joining.touches.end());
    open.group.records.push_back(i);
    note_touches(i, g);
  }

  // Where two groups meet the notes say why: for the group that makes what the record reads, and for the last one.
  void note(RecordIndex i, int g, const char* why) {
    result_.notes.push_back(fmt::format("record {} ({}) is not in group {}: {}", i, name_of(trace_.keys[i].op), g, why));
  }

  void open_fused(RecordIndex i, int latest, const char* why, const char* why_not_last) {
    OpenGroup open;
    open.group.space.dims = extents_of(trace_, i);
    if (kind_of(trace_.keys[i].op) == OpKind::reduction) open.group.space.reduced = reduced_dims(trace_, i);
    if (!touches_of(i, open.group.space, open.touches) || overlaps_itself(open.touches)) return open_library(i);
    if (latest >= 0) note(i, latest, why);
    if (const int last = static_cast<int>(groups_.size()) - 1; last > latest) note(i, last, why_not_last);
    open.group.records.push_back(i);
    groups_.push_back(std::move(open));
    note_touches(i, static_cast<int>(groups_.size()) - 1);
  }

  // A record that writes in place and reads the same storage elsewhere.
  static bool overlaps_itself(const std::vector<Touch>& touches) {
    return std::any_of(touches.begin(), touches.end(), [&](const Touch& touch) {
      return touch.access.storage == touches.back().access.storage && !(touch.access == touches.back().access);
    });
  }

  void open_library(RecordIndex i) {
    OpenGroup open;
    open.group.library = true;
    open.group.records.push_back(i);
    if (!groups_.empty()) note(i, static_cast<int>(groups_.size()) - 1, "it runs as a library call");
    groups_.push_back(std::move(open));
    note_touches(i, static_cast<int>(groups_.size()) - 1);
  }

  void note_touches(RecordIndex i, int g) {
    const auto touch = [&](RecordIndex storage) { result_.last_touch[storage] = std::max(result_.last_touch[storage], g); };
    for (int k = 0; k < trace_.keys[i].n_operands; ++k)
      if (trace_.keys[i].operands[k].is_tensor()) touch(trace_.storages[trace_.operand(i, k)]);
    const RecordIndex storage = trace_.storages[i];
    touch(storage);
    last_write_[storage] = std::max(last_write_[storage], g);
    if (first_write_[storage] < 0) first_write_[storage] = g;
  }

  const Trace& trace_;
  const std::vector<bool>& alone_;
  std::vector<RecordIndex> origins_;
  std::vector<OpenGroup> groups_;
  std::vector<int> last_write_;   // by storage: last group that writes it
  std::vector<int> first_write_;  // the first one: what a planted fault takes for the last
  Grouping result_;
};

}  // namespace

bool computes(const KeyHalf& key) {
  const OpKind kind = kind_of(key.op);
  return kind != OpKind::structure && kind != OpKind::view;
}

void count_touches(const Trace& trace, Grouping& grouping) {
  const std::size_t n = trace.size();
  grouping.first_touch.assign(n, -1);
  grouping.last_touch.assign(n, -1);
  grouping.first_write.assign(n, -1);
  grouping.by_library.assign(n, false);
  for (std::size_t k = 0; k < grouping.groups.size(); ++k) {
    const Group& group = grouping.groups[k];
    const int g = static_cast<int>(k);
    const auto touch = [&](RecordIndex storage) {
      if (std::binary_search(group.copies.begin(), group.copies.end(), storage)) return;
      if (grouping.first_touch[storage] < 0) grouping.first_touch[storage] = g;
      grouping.last_touch[storage] = g;
      if (group.library) grouping.by_library[storage] = true;
    };
    for (RecordIndex i : group.records) {
      for (int a = 0; a < trace.keys[i].n_operands; ++a)
        if (trace.keys[i].operands[a].is_tensor()) touch(trace.storages[trace.operand(i, a)]);
      const RecordIndex storage = trace.storages[i];
      touch(storage);
      if (grouping.first_write[storage] < 0) grouping.first_write[storage] = g;
    }
  }
}

Grouping group_records(const Trace& trace, const std::vector<bool>& alone) { return Grouper(trace, alone).run(); }

}  // namespace swage::jit
