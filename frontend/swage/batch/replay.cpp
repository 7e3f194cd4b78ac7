#include <swage/batch/replay.hpp>

#include <algorithm>

#include <runtime/engine/interpreter.hpp>
#include <runtime/engine/recorder.hpp>
#include <runtime/trace/trace.hpp>
#include <swage/autograd/grad_mode.hpp>
#include <swage/detail/call.hpp>
#include <swage/detail/composite.hpp>

namespace swage::grouping {
namespace {

constexpr std::size_t kMostTemplates = 256;  // of a program

// Where the open window's views begin, as they are taken; null where nobody asks.
struct StartLog {
  std::vector<std::pair<RecordIndex, Start>> starts;
};
constinit thread_local StartLog* start_log = nullptr;

// A group's window is called, and cut, while one lives.
class Calling {
 public:
  explicit Calling(StartLog& log) : stream_(detail::stream()) {
    start_log = &log;
    stream_.begin_whole();
  }
  ~Calling() {
    stream_.end_whole();
    start_log = nullptr;
  }
  Calling(const Calling&) = delete;
  Calling& operator=(const Calling&) = delete;

 private:
  Stream& stream_;
};

std::int64_t number_of(const Tape& tape, const GroupRun& run, Start start) {
  const auto at = static_cast<std::size_t>(start.at);
  switch (start.kind) {
    case Start::fixed: return 0;
    case Start::result: return tape.row_of_result(run, at);
    case Start::input: return tape.input_of(run, at).first;
    case Start::site: return run.site_first[at];
  }
  return 0;
}

std::int32_t use_at(const Prepared& ready, std::size_t at) {
  return at < ready.shared_use.size() ? ready.shared_use[at] : ready.once_use[at - ready.shared_use.size()];
}

Tensor tensor_of(const Tape& tape, const GroupRun& run, Source source) {
  const Prepared& ready = *run.ready;
  const auto at = static_cast<std::size_t>(source.at);
  const auto use = [&]() -> const SharedUse& {
    static const SharedUse none;
    const std::int32_t which = use_at(ready, at);
    return which < 0 ? none : tape.shared[static_cast<std::size_t>(which)];
  };
  switch (source.kind) {
    case Source::input_pool: return tape.pool_of_input(run, at).data;
    case Source::result_pool: return tape.pool_of_result(run, at).data;
    case Source::input_grads: return tape.pool_of_input(run, at).grad;
    case Source::result_grads: return tape.pool_of_result(run, at).grad;
    case Source::index: return tape.index;
    case Source::outside: return run.outside[at];
    case Source::plain: return use().plain;
    case Source::product_inputs: return use().product_inputs;
    case Source::product_grads: return use().product_grads;
    case Source::table_index: return use().table_index;
    case Source::table_grads: return use().table_grads;
    case Source::sum: return use().sum;
    case Source::shared: return ready.shared[at].tensor;
    case Source::once: return ready.once[at].tensor;
    case Source::saved: return at < run.saved.size() ? run.saved[at] : Tensor();
  }
  return {};
}

// Calls f with every source that the group has, until it says true.
template <class F>
bool any_source(const GroupRun& run, F&& f) {
  const Prepared& ready = *run.ready;
  const auto each = [&](Source::Kind kind, std::size_t n) {
    for (std::size_t at = 0; at < n; ++at)
      if (f(Source{kind, static_cast<std::int32_t>(at)})) return true;
    return false;
  };
  const std::size_t n_inputs = run.outside.size(), n_results = ready.program->results.size();
  for (std::size_t k = 0; k < n_inputs; ++k) {
    const auto at = static_cast<std::int32_t>(k);
    if (run.outside[k].defined() ? f(Source{Source::outside, at})
                                 : f(Source{Source::input_pool, at}) || f(Source{Source::input_grads, at}))
      return true;
  }
  if (each(Source::result_pool, n_results) || each(Source::result_grads, n_results) || f(Source{Source::index, 0})) return true;
  for (std::size_t at = 0; at < ready.shared_use.size() + ready.once_use.size(); ++at) {
    if (use_at(ready, at) < 0) continue;
    for (const auto kind :
         {Source::plain, Source::product_inputs, Source::product_grads, Source::table_index, Source::table_grads, Source::sum})
      if (f(Source{kind, static_cast<std::int32_t>(at)})) return true;
  }
  return each(Source::shared, ready.shared.size()) || each(Source::once, ready.once.size());
}

// What the window that is about to be cut did, as far as a template needs it.
class Sketch {
 public:
  explicit Sketch(const StartLog& log) {
    const WindowView view = detail::stream().view_window();
    if (view.halves.empty() || !view.known) return;
    made_.halves.assign(view.halves.begin(), view.halves.end());
    first_tag_ = view.first_tag;
    usable_ = true;
    starts_ = log.starts;
    // Values that live on, owners before views; the caller's tape holds them.
    for (RecordIndex i = 0; i < made_.halves.size(); ++i) {
      if (const Value* const value = made_.halves[i].result)
        values_.push_back({i, value, value->owner(), value->desc,
                           static_cast<RecordIndex>(value->owner()->storage_tag - first_tag_), value->base != nullptr,
                           value->tag == first_tag_ + i});
    }
  }

  // Cuts the window and completes the template, if the window was a hit.
  bool cut(const Tape& tape, const GroupRun& run, Stream& stream, WindowTemplate& into, std::vector<const Value*>& alive) {
    std::shared_ptr<KnownTrace> path = stream.cut_to_known(CutReason::scope, {});
    return finish(tape, run, std::move(path), into, alive);
  }

 private:
  // Completes the template once the window has been a hit of `path`. False where the window cannot be told by its template.
  bool finish(const Tape& tape, const GroupRun& run, std::shared_ptr<KnownTrace> path, WindowTemplate& into,
              std::vector<const Value*>& alive) {
    if (!usable_ || !path) return false;
    const Trace& trace = trace_of(*path);
    if (trace.size() != made_.halves.size() + 1) return false;
    into = {};
    into.path = std::move(path);
    into.halves = std::move(made_.halves);
    return find_inputs(tape, run, trace, into) && find_views(tape, run, trace, into) && find_made(trace, into, alive);
  }

  struct Held {
    RecordIndex record;
    const Value* value;
    const Value* owner;
    DescId desc;
    RecordIndex storage;
    bool view, tagged;
  };

  bool find_inputs(const Tape& tape, const GroupRun& run, const Trace& trace, WindowTemplate& into) const {
    for (RecordIndex i = 0; i < into.halves.size(); ++i) {
      if (!trace.is_input(i)) continue;
      const Value* const value = into.halves[i].result;
      Source found{};
      bool any = any_source(run, [&](Source source) {
        found = source;
        return tensor_of(tape, run, source).value() == value;
      });
      if (const auto saved = std::ranges::find(run.alive, value); !any && saved != run.alive.end()) {
        found = {Source::saved, static_cast<std::int32_t>(saved - run.alive.begin())};
        any = true;
      }
      if (!any) return false;
      into.inputs.push_back({i, value->desc, found});
    }
    return true;
  }

  // Offsets that change from group to group are those of the rows that were asked for by number; all others follow.
  bool find_views(const Tape& tape, const GroupRun& run, const Trace& trace, WindowTemplate& into) const {
    for (RecordIndex i = 0; i < into.halves.size(); ++i) {
      const KeyHalf& key = trace.keys[i];
      if (kind_of(key.op) == OpKind::random) return false;
      if (kind_of(key.op) != OpKind::view) continue;
      WindowTemplate::View view{i, trace.operand(i, 0), 0, 0, {}};
      const std::int64_t moved = into.halves[i].offset - result_offset(trace, view.operand, into.halves);
      const auto logged = std::ranges::find(starts_, i, &std::pair<RecordIndex, Start>::first);
      if (logged != starts_.end()) {
        view.start = logged->second;
        view.stride = desc_of(key.operands[0].desc).strides[0];
        if (key.op != Op::narrow || moved != number_of(tape, run, view.start) * view.stride) return false;
      } else {
        view.fixed = moved;
      }
      into.views.push_back(view);
    }
    return true;
  }

  bool find_made(const Trace& trace, WindowTemplate& into, std::vector<const Value*>& alive) const {
    for (const bool views : {false, true})
      for (const Held& held : values_) {
        if (held.view != views || trace.is_input(held.record)) continue;
        const auto same = [&](const Held& other) { return other.value == held.value && trace.is_input(other.record); };
        if (std::ranges::any_of(values_, same)) continue;  // what came in, written in place
        if (!held.tagged) return false;
        MadeValue what{held.record, held.storage, held.desc, -1, ~RecordIndex{0}};
        if (views) {
          const auto owner = std::ranges::find(alive, held.owner);
          if (owner != alive.end())
            what.base = static_cast<std::int32_t>(owner - alive.begin());
          else if (trace.is_input(held.storage))
            what.of_input = held.storage;
          else
            return false;
        }
        alive.push_back(held.value);
        into.made.push_back(what);
      }
    return true;
  }

  WindowTemplate made_;
  std::vector<std::pair<RecordIndex, Start>> starts_;
  std::vector<Held> values_;
  std::uint64_t first_tag_ = 0;
  bool usable_ = false;
};

bool run_template(const Tape& tape, const GroupRun& run, WindowTemplate& window, std::vector<Tensor>& made) {
  for (const WindowTemplate::Input& input : window.inputs) {
    Value* const value = tensor_of(tape, run, input.source).value();
    if (!value || value->desc != input.desc) return false;
    window.halves[input.record].result = value;
    window.halves[input.record].offset = value->offset;
  }
  const Trace& trace = trace_of(*window.path);
  for (const WindowTemplate::View& view : window.views)
    window.halves[view.record].offset =
        result_offset(trace, view.operand, window.halves) + view.fixed + number_of(tape, run, view.start) * view.stride;
  std::vector<ValueRef> results(window.made.size());
  if (!detail::stream().run_whole(*window.path, window.halves, window.made, results, CutReason::scope, {})) return false;
  for (ValueRef& result : results) made.emplace_back(std::move(result));
  ++batch_stats().whole;
  return true;
}

// What groups must have in common to be told by one template: how inputs are had, where gradients flow, and which of the values that may be
// one and the same are.
std::vector<std::uint64_t> key_of(const Tape& tape, const GroupRun& run) {
  const Prepared& ready = *run.ready;
  std::vector<std::uint64_t> key = {std::uint64_t{tape.group_of(run).count} << 1 | std::uint64_t{run.grad}};
  std::vector<const Value*> values;
  for (std::size_t k = 0; k < run.outside.size(); ++k) {
    const auto kind = tape.input_of(run, k).kind;
    key.push_back(static_cast<std::uint64_t>(kind));
    if (kind == GroupInput::same) values.push_back(run.outside[k].value());
  }
  for (std::size_t at = 0; at < ready.shared_use.size() + ready.once_use.size(); ++at)
    key.back() = key.back() << 1 | std::uint64_t{use_at(ready, at) >= 0}, at % 32 == 31 ? key.push_back(1) : void();
  for (const std::vector<Lane>* lanes : {&ready.shared, &ready.once})
    for (const Lane& lane : *lanes)
      if (lane.tensor.defined()) values.push_back(lane.tensor.value());
  for (const Value* value : values)
    key.push_back(static_cast<std::uint64_t>(std::ranges::find(values, value) - values.begin()));
  return key;
}

Templates& templates_of(const CellProgram& program) {
  if (!program.templates) program.templates = std::make_shared<Templates>();
  return *program.templates;
}

}  // namespace

Tensor rows_of(const Tensor& matrix, std::int64_t first, std::int64_t n, Start start) {
  Tensor rows = detail::narrow({}, matrix, 0, first, n);
  if (start_log) start_log->starts.emplace_back(static_cast<RecordIndex>(recorder->values.size() - 1), start);
  return rows;
}

void run_group(Tape& tape, GroupRun& run) {
  Templates& templates = templates_of(*run.ready->program);
  std::vector<std::uint64_t> key = key_of(tape, run);
  for (const Templates::Entry& entry : templates.entries) {
    if (entry.key != key || !runs_compiled(*entry.by->forward.path)) continue;
    if (run.grad && !runs_compiled(*entry.by->backward->path)) continue;
    if (!run_template(tape, run, entry.by->forward, run.saved)) continue;
    run.by = entry.by;
    run.whole = true;
    // The rows of a pool are written once each (group.cpp).
    for (std::size_t j = 0; j < run.ready->program->results.size(); ++j) tape.pool_of_result(run, j).data.value()->version = 0;
    return;
  }
  StartLog log;
  const Calling calling(log);
  call_group(tape, run);
  Stream& stream = detail::stream();
  Sketch sketch(log);
  auto by = std::make_shared<GroupTemplate>();
  if (!sketch.cut(tape, run, stream, by->forward, run.alive)) return;
  if (run.grad)
    run.by = std::move(by);  // complete when its backward pass is
  else
    templates.add(std::move(key), std::move(by));
}

void run_group_backward(Tape& tape, GroupRun& run) {
  if (run.whole) {
    std::vector<Tensor> made;
    if (run_template(tape, run, *run.by->backward, made)) return;
    // Not on this thread: the group is called again, for the tape that it leaves.
    run.whole = false;
    run.saved.clear();
    run.by = nullptr;
    call_group(tape, run);
    detail::stream().cut(CutReason::scope, {});
  }
  StartLog log;
  const Calling calling(log);
  call_group_backward(tape, run);
  Stream& stream = detail::stream();
  if (!run.by || run.by->backward) return stream.cut(CutReason::scope, {});
  Sketch sketch(log);
  auto backward = std::make_unique<WindowTemplate>();
  std::vector<const Value*> left;
  if (!sketch.cut(tape, run, stream, *backward, left) || !left.empty()) return;
  run.by->backward = std::move(backward);
  templates_of(*run.ready->program).add(key_of(tape, run), run.by);
}

void Templates::add(std::vector<std::uint64_t> key, std::shared_ptr<GroupTemplate> by) {
  std::erase_if(entries, [](const Entry& entry) { return !runs_compiled(*entry.by->forward.path); });
  for (const Entry& entry : entries)
    if (entry.key == key && entry.by->forward.path == by->forward.path) return;
  if (entries.size() < kMostTemplates) entries.push_back({std::move(key), std::move(by)});
}

}  // namespace swage::grouping
