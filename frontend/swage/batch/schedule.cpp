#include <swage/batch/schedule.hpp>

#include <algorithm>
#include <bit>
#include <list>
#include <unordered_map>

namespace swage::grouping {
namespace {

constexpr std::int64_t kExact = 16;       // group sizes up to here are taken as they are
constexpr std::int64_t kSmallRow = 1024;  // elements
constexpr std::int64_t kSharedElements =
    256;  // from here on a value from outside that all instances take is not copied for each

// The instances of one program that have not run.
struct Waiting {
  std::vector<std::int32_t> ready;
  std::int64_t depths = 0, count = 0;
  std::int32_t called = 0;          // the first instance
  std::vector<std::int32_t> feeds;  // programs that take its results, each once or more
  std::int32_t stage = 0;
};

// Which programs come after which: those that feed each other, in a circle, share a stage, and a stage feeds later ones alone (strongly
// connected components by Tarjan's algorithm, without recursion).
void find_stages(std::vector<Waiting>& programs) {
  const std::size_t n = programs.size();
  std::vector<std::int32_t> number(n, -1), low(n), open, stack;
  std::vector<std::size_t> next(n);
  std::vector<bool> on_stack(n);
  std::int32_t numbers = 0, stages = 0;
  for (std::size_t root = 0; root < n; ++root) {
    if (number[root] >= 0) continue;
    open.push_back(static_cast<std::int32_t>(root));
    while (!open.empty()) {
      const auto at = static_cast<std::size_t>(open.back());
      if (number[at] < 0) {
        number[at] = low[at] = numbers++;
        stack.push_back(open.back());
        on_stack[at] = true;
      }
      if (next[at] < programs[at].feeds.size()) {
        const auto to = static_cast<std::size_t>(programs[at].feeds[next[at]++]);
        if (number[to] < 0)
          open.push_back(static_cast<std::int32_t>(to));
        else if (on_stack[to])
          low[at] = std::min(low[at], number[to]);
        continue;
      }
      open.pop_back();
      if (!open.empty())
        low[static_cast<std::size_t>(open.back())] = std::min(low[static_cast<std::size_t>(open.back())], low[at]);
      if (low[at] != number[at]) continue;
      for (bool more = true; more;) {
        const auto member = static_cast<std::size_t>(stack.back());
        stack.pop_back();
        on_stack[member] = false;
        programs[member].stage = -stages;  // the last ones are found first
        more = member != at;
      }
      ++stages;
    }
  }
}

class Agenda {
 public:
  explicit Agenda(const Graph& graph) : graph_(graph), kind_(graph.instances.size()), pending_(graph.instances.size()) {
    const std::size_t n = graph.instances.size();
    std::unordered_map<const CellProgram*, std::int32_t> kinds;
    std::vector<std::uint32_t> uses(n + 1);
    for (std::size_t i = 0; i < n; ++i) {
      const Instance& instance = graph.instances[i];
      const auto [entry, added] = kinds.try_emplace(instance.program, static_cast<std::int32_t>(waiting_.size()));
      if (added) waiting_.emplace_back().called = static_cast<std::int32_t>(i);
      kind_[i] = entry->second;
      Waiting& waiting = waiting_[static_cast<std::size_t>(entry->second)];
      waiting.depths += instance.depth;
      ++waiting.count;
      for_producers(instance, [&](std::int32_t producer) {
        auto& feeds = waiting_[static_cast<std::size_t>(kind_[static_cast<std::size_t>(producer)])].feeds;
        if (feeds.empty() || feeds.back() != entry->second) feeds.push_back(entry->second);
        ++pending_[i];
        ++uses[static_cast<std::size_t>(producer) + 1];
      });
      if (pending_[i] == 0) waiting.ready.push_back(static_cast<std::int32_t>(i));
    }
    for (Waiting& each : waiting_) {
      std::ranges::sort(each.feeds);
      each.feeds.erase(std::unique(each.feeds.begin(), each.feeds.end()), each.feeds.end());
    }
    find_stages(waiting_);
    for (std::size_t i = 0; i < n; ++i) uses[i + 1] += uses[i];
    users_.resize(uses[n]);
    first_user_ = uses;
    for (std::size_t i = 0; i < n; ++i)
      for_producers(graph.instances[i], [&](std::int32_t producer) {
        users_[uses[static_cast<std::size_t>(producer)]++] = static_cast<std::int32_t>(i);
      });
  }

  bool empty() const { return done_ == graph_.instances.size(); }

  std::vector<std::int32_t> next() {
    std::size_t best = waiting_.size();
    for (std::size_t k = 0; k < waiting_.size(); ++k)
      if (!waiting_[k].ready.empty() && (best == waiting_.size() || comes_before(waiting_[k], waiting_[best]))) best = k;
    Waiting& chosen = waiting_[best];
    std::vector<std::int32_t> group = std::move(chosen.ready);
    chosen.ready.clear();
    chosen.count -= static_cast<std::int64_t>(group.size());
    done_ += group.size();
    for (const std::int32_t i : group) chosen.depths -= graph_.instances[static_cast<std::size_t>(i)].depth;
    for (const std::int32_t i : group)
      for (std::uint32_t u = first_user_[static_cast<std::size_t>(i)]; u < first_user_[static_cast<std::size_t>(i) + 1]; ++u) {
        const auto user = static_cast<std::size_t>(users_[u]);
        if (--pending_[user] == 0) waiting_[static_cast<std::size_t>(kind_[user])].ready.push_back(users_[u]);
      }
    return group;
  }

 private:
  template <class F>
  void for_producers(const Instance& instance, F&& f) const {
    for (const OutId id : graph_.inputs_of(instance))
      if (const std::int32_t producer = graph_.outs[static_cast<std::size_t>(id)].instance; producer >= 0) f(producer);
  }
  // Stage by stage, and in a stage by average depth of what is waiting; compared as fractions.
  static bool comes_before(const Waiting& a, const Waiting& b) {
    if (a.stage != b.stage) return a.stage < b.stage;
    const std::int64_t left = a.depths * b.count, right = b.depths * a.count;
    return left != right ? left < right : a.called < b.called;
  }

  const Graph& graph_;
  std::vector<std::int32_t> kind_, pending_;
  std::vector<Waiting> waiting_;
  std::vector<std::uint32_t> first_user_;
  std::vector<std::int32_t> users_;
  std::size_t done_ = 0;
};

class Layout {
 public:
  Layout(const Graph& graph, Schedule& into) : graph_(graph), to_(into) {
    to_.pool_of.assign(graph.outs.size(), -1);
    to_.row_of.assign(graph.outs.size(), 0);
  }

  void lay_out() {
    for (Group& group : to_.groups) classify(group);
    for (std::size_t id = 0; id < graph_.outs.size(); ++id)
      if (to_.pool_of[id] == kWanted) place(static_cast<OutId>(id), 1);
    for (Group& group : to_.groups) place_results(group);
    for (const Group& group : to_.groups) find_rows(group);
  }

 private:
  static constexpr std::int32_t kWanted = -2;

  const CellProgram& program_of(const Group& group) const { return *instance(group, 0).program; }
  const Instance& instance(const Group& group, std::uint32_t i) const {
    return graph_.instances[static_cast<std::size_t>(to_.order[group.first + i])];
  }
  const Out& out(OutId id) const { return graph_.outs[static_cast<std::size_t>(id)]; }

  // Calls f with each value that input k of the group takes.
  template <class F>
  void for_values(const Group& group, std::size_t k, F&& f) const {
    const bool variadic = program_of(group).variadic;
    for (std::uint32_t i = 0; i < group.count; ++i) {
      const auto inputs = graph_.inputs_of(instance(group, i));
      if (variadic)
        for (const OutId id : inputs) f(id);
      else
        f(inputs[k]);
    }
  }
  static std::size_t inputs_in(const CellProgram& program) { return program.variadic ? 1 : program.inputs.size(); }

  // Values from outside that need no gradient are staged where a group takes nothing else; all other values stand in pools.
  void classify(Group& group) {
    const CellProgram& program = program_of(group);
    group.first_input = static_cast<std::uint32_t>(to_.inputs.size());
    for (std::size_t k = 0; k < inputs_in(program); ++k) {
      bool outside = true, same = !program.variadic && group.count > 1;
      OutId first = -1;
      for_values(group, k, [&](OutId id) {
        outside &= out(id).instance < 0 && !(out(id).grad && program.input_grad[k]);
        same &= first < 0 || id == first;
        first = id;
      });
      GroupInput input;
      if (outside) {
        same &= desc_of(program.inputs[k]).numel() >= kSharedElements;
        input.kind = same ? GroupInput::same : GroupInput::staged;
      } else {
        for_values(group, k, [&](OutId id) {
          if (out(id).instance < 0) to_.pool_of[static_cast<std::size_t>(id)] = kWanted;
        });
      }
      to_.inputs.push_back(input);
    }
  }

  std::int32_t pool(DescId desc, bool grad) {
    auto found = std::ranges::find(to_.pools, desc, &PoolLayout::desc);
    if (found == to_.pools.end()) found = to_.pools.insert(found, {desc, 0, false});
    found->grad |= grad;
    return static_cast<std::int32_t>(found - to_.pools.begin());
  }
  // `count` rows for a value and those after it of its group.
  std::int64_t place(OutId id, std::int64_t count) {
    const Out& value = out(id);
    const std::int32_t at = pool(value.desc, value.grad);
    PoolLayout& layout = to_.pools[static_cast<std::size_t>(at)];
    to_.pool_of[static_cast<std::size_t>(id)] = at;
    to_.row_of[static_cast<std::size_t>(id)] = static_cast<std::int32_t>(layout.rows);
    return std::exchange(layout.rows, layout.rows + count);
  }
  void place_results(Group& group) {
    const CellProgram& program = program_of(group);
    group.first_row = static_cast<std::uint32_t>(to_.result_rows.size());
    for (std::size_t j = 0; j < program.results.size(); ++j) {
      const OutId lead = instance(group, 0).first_out + static_cast<OutId>(j);
      const std::int64_t base = place(lead, group.count);
      const std::int32_t at = to_.pool_of[static_cast<std::size_t>(lead)];
      to_.result_rows.push_back(base);
      to_.result_pools.push_back(at);
      for (std::uint32_t i = 1; i < group.count; ++i) {
        const auto id = static_cast<std::size_t>(instance(group, i).first_out) + j;
        to_.pool_of[id] = at;
        to_.row_of[id] = static_cast<std::int32_t>(base + i);
      }
    }
  }
  // Where one input has to be gathered, small rows of the others are too: a trace has then two forms, not one for each pattern.
  void find_rows(const Group& group) {
    const CellProgram& program = program_of(group);
    bool scattered = false;
    for (std::size_t k = 0; k < inputs_in(program); ++k)
      if (find_rows(group, k, false)) scattered |= to_.inputs[group.first_input + k].kind == GroupInput::gathered;
    if (!scattered) return;
    for (std::size_t k = 0; k < inputs_in(program); ++k)
      if (to_.inputs[group.first_input + k].kind == GroupInput::in_place && desc_of(program.inputs[k]).numel() <= kSmallRow)
        find_rows(group, k, true);
  }
  // Of input k; false where it is not in a pool.
  bool find_rows(const Group& group, std::size_t k, bool gathers) {
    GroupInput& input = to_.inputs[group.first_input + k];
    if (input.kind == GroupInput::staged || input.kind == GroupInput::same) return false;
    const std::size_t start = to_.index.size();
    bool consecutive = !gathers;
    for_values(group, k, [&](OutId id) {
      input.pool = to_.pool_of[static_cast<std::size_t>(id)];
      to_.index.push_back(to_.row_of[static_cast<std::size_t>(id)]);
      consecutive &= to_.index.back() == to_.index[start] + static_cast<std::int64_t>(to_.index.size() - 1 - start);
    });
    input.kind = consecutive ? GroupInput::in_place : GroupInput::gathered;
    input.first = static_cast<std::int64_t>(start);
    if (!consecutive) return true;
    input.first = to_.index[start];
    to_.index.resize(start);
    return true;
  }

  const Graph& graph_;
  Schedule& to_;
};

// Everything that a schedule depends on.
std::vector<std::uint64_t> structure_of(const Graph& graph) {
  std::vector<std::uint64_t> words;
  words.reserve(graph.instances.size() * 3 + graph.inputs.size() + graph.outs.size() / 2 + 2);
  words.push_back(graph.outs.size());
  for (const Instance& instance : graph.instances)
    words.push_back(std::uint64_t{instance.program->id} << 32 | static_cast<std::uint32_t>(instance.first_out));
  for (const OutId id : graph.inputs) words.push_back(static_cast<std::uint64_t>(id));
  for (std::size_t id = 0; id < graph.outs.size(); ++id)
    if (const Out& out = graph.outs[id]; out.instance < 0)
      words.push_back(id << 34 | std::uint64_t{out.desc} << 1 | std::uint64_t{out.grad});
  return words;
}

struct Remembered {
  std::vector<std::uint64_t> structure;
  std::uint64_t hash;
  std::shared_ptr<const Schedule> schedule;
};
constexpr std::size_t kRemembered = 64;

}  // namespace

std::int64_t largest_chunk(std::int64_t n) {
  if (n <= kExact) return n;
  const int low = std::bit_width(static_cast<std::uint64_t>(n)) - 3;
  return n >> low << low;
}

Schedule make_schedule(const Graph& graph) {
  Schedule schedule;
  schedule.order.reserve(graph.instances.size());
  for (Agenda agenda(graph); !agenda.empty();) {
    const std::vector<std::int32_t> ready = agenda.next();
    const bool variadic = graph.instances[static_cast<std::size_t>(ready.front())].program->variadic;
    for (std::size_t at = 0; at < ready.size();) {
      const auto n = static_cast<std::size_t>(variadic ? 1 : largest_chunk(static_cast<std::int64_t>(ready.size() - at)));
      schedule.groups.push_back({static_cast<std::uint32_t>(schedule.order.size()), static_cast<std::uint32_t>(n), 0, 0});
      schedule.order.insert(schedule.order.end(), ready.begin() + static_cast<std::ptrdiff_t>(at),
                            ready.begin() + static_cast<std::ptrdiff_t>(at + n));
      at += n;
    }
  }
  Layout(graph, schedule).lay_out();
  return schedule;
}

std::shared_ptr<const Schedule> schedule_of(const Graph& graph) {
  static thread_local std::list<Remembered> remembered;  // the latest first
  std::vector<std::uint64_t> structure = structure_of(graph);
  std::uint64_t hash = structure.size();
  for (const std::uint64_t word : structure) {
    hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 29;
  }
  for (auto at = remembered.begin(); at != remembered.end(); ++at)
    if (at->hash == hash && at->structure == structure) {
      remembered.splice(remembered.begin(), remembered, at);
      return at->schedule;
    }
  auto schedule = std::make_shared<const Schedule>(make_schedule(graph));
  remembered.push_front({std::move(structure), hash, schedule});
  if (remembered.size() > kRemembered) remembered.pop_back();
  return schedule;
}

}  // namespace swage::grouping
