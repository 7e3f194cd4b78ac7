#include <algorithm>
#include <bit>
#include <chrono>
#include <cstring>

#include <kernels/cpu/layout.hpp>
#include <runtime/core/allocator.hpp>
#include <swage/autograd/grad_mode.hpp>
#include <swage/batch/replay.hpp>
#include <swage/creation.hpp>
#include <swage/detail/call.hpp>
#include <swage/detail/composite.hpp>

namespace swage::grouping {

Tensor uninitialised(std::int64_t rows, std::int64_t width, DType dtype) {
  const auto bytes = static_cast<std::size_t>(rows * width) * size_of(dtype);
  return Tensor(detail::stream().adopt_buffer(allocate_buffer(bytes), bytes, intern(dtype, {rows, width}), true));
}

char* row_address(const Tensor& matrix, std::int64_t row) {
  const std::int64_t width = matrix.sizes()[1];
  return static_cast<char*>(matrix.value()->address()) + row * width * static_cast<std::int64_t>(size_of(matrix.dtype()));
}

Lane Prepared::lane_of(OperandRef ref) const {
  if (ref.kind == OperandRef::shared) return shared[static_cast<std::size_t>(ref.index)];
  if (ref.kind == OperandRef::local) return once[static_cast<std::size_t>(ref.index)];
  return {};
}
std::int32_t Prepared::use_of(OperandRef ref) const {
  if (ref.kind == OperandRef::shared) return shared_use[static_cast<std::size_t>(ref.index)];
  if (ref.kind == OperandRef::local) return once_use[static_cast<std::size_t>(ref.index)];
  return -1;
}

BatchStats& batch_stats() {
  static thread_local BatchStats stats;
  return stats;
}

namespace {

std::uint64_t now() {
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1));
}

// Few capacities, so that traces repeat.
std::int64_t capacity(std::int64_t rows) {
  return std::max<std::int64_t>(64, static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(rows))));
}

class Execution {
 public:
  explicit Execution(Graph& graph) : graph_(graph), schedule_(schedule_of(graph)), tape_(std::make_shared<Tape>()) {
    tape_->schedule = schedule_;
  }

  std::size_t groups() const { return schedule_->groups.size(); }

  void run() {
    Stream& stream = detail::stream();
    stream.cut(CutReason::scope, {});
    prepare_programs();
    make_pools();
    make_runs();
    stream.cut(CutReason::scope, {});
    for (GroupRun& run : tape_->groups) run_group(*tape_, run);
    finish();
  }

 private:
  // --- Shared values ---

  std::int32_t use_of(const Tensor& tensor) {
    if (!graph_.grad || !tensor.requires_grad()) return -1;
    const auto found =
        std::ranges::find_if(tape_->shared, [&](const SharedUse& use) { return use.outer.value() == tensor.value(); });
    if (found != tape_->shared.end()) return static_cast<std::int32_t>(found - tape_->shared.begin());
    SharedUse use;
    use.outer = tensor;
    tape_->shared.push_back(std::move(use));
    return static_cast<std::int32_t>(tape_->shared.size() - 1);
  }

  Prepared& prepared(const CellProgram& program) {
    for (const auto& ready : tape_->prepared)
      if (ready->program.get() == &program) return *ready;
    tape_->prepared.push_back(std::make_unique<Prepared>());
    tape_->prepared.back()->program = program.shared_from_this();
    return *tape_->prepared.back();
  }

  void prepare_programs() {
    for (const Group& group : schedule_->groups) {
      const CellProgram& program = program_of(group);
      Prepared& ready = prepared(program);
      if (ready.once.size() == program.ops.size()) continue;
      for (const Tensor& tensor : program.shared) {
        ready.shared.push_back({tensor, false});
        ready.shared_use.push_back(use_of(tensor));
      }
      ready.sites.resize(program.ops.size());
      find_live(program, ready);
      for (const BodyOp& op : program.ops) {
        Lane lane;
        if (!op.rows) {
          std::vector<Lane> lanes;
          for (const OperandRef& ref : program.operands_of(op)) lanes.push_back(ready.lane_of(ref));
          const GradModeGuard mode(op.tape);
          lane = apply(program, op, lanes, 1);
        }
        ready.once_use.push_back(lane.tensor.defined() ? use_of(lane.tensor) : -1);
        ready.once.push_back(std::move(lane));
      }
    }
    const NoGradGuard no_grad;
    for (SharedUse& use : tape_->shared) use.plain = use.outer.detach();
  }
  // Ops that gradients reach, from the results on backwards.
  static void find_live(const CellProgram& program, Prepared& ready) {
    const auto reach = [&](OperandRef ref) {
      if (ref.kind == OperandRef::local) ready.sites[static_cast<std::size_t>(ref.index)].live = true;
    };
    for (std::size_t j = 0; j < program.outputs.size(); ++j)
      if (program.result_grad[j]) reach(program.outputs[j]);
    for (std::size_t i = program.ops.size(); i-- > 0;)
      if (ready.sites[i].live && program.ops[i].tape) std::ranges::for_each(program.operands_of(program.ops[i]), reach);
  }

  // Whole rows of a table: the index is a column, expanded along them. `embedding` asks so.
  static bool takes_rows(const CellProgram& program, const BodyOp& op, const Tensor& table) {
    const Dims& result = desc_of(op.result).dims;
    const OperandRef index = program.operands_of(op)[1];
    if (attribute_of(op.attr).ints[0] != 0 || table.dim() != 2 || result[1] != table.size(1)) return false;
    if (index.kind != OperandRef::local) return false;
    const BodyOp& expand = program.ops[static_cast<std::size_t>(index.index)];
    if (expand.op != Op::expand) return false;
    const OperandRef column = program.operands_of(expand)[0];
    const auto at = static_cast<std::size_t>(column.index);
    if (column.kind == OperandRef::shared) return false;
    const Dims& dims = desc_of(column.kind == OperandRef::input ? program.inputs[at] : program.ops[at].result).dims;
    return dims.rank() == 2 && dims[1] == 1;
  }

  // Where shared matrices and tables are used, and each group's rows among all uses; other uses are summed as they come.
  void place_uses(GroupRun& run) {
    const CellProgram& program = *run.ready->program;
    Prepared& ready = prepared(program);
    const std::int64_t n = tape_->group_of(run).count;
    run.site_first.assign(program.ops.size(), 0);
    for (std::size_t j = 0; j < program.outputs.size(); ++j)
      if (const std::int32_t use = ready.use_of(program.outputs[j]); use >= 0 && program.result_grad[j])
        tape_->shared[static_cast<std::size_t>(use)].broadcast = true;
    for (std::size_t i = 0; i < program.ops.size(); ++i) {
      const BodyOp& op = program.ops[i];
      if (!op.rows || !op.tape) continue;
      const auto refs = program.operands_of(op);
      for (std::size_t k = 0; k < refs.size(); ++k) {
        const std::int32_t use = ready.use_of(refs[k]);
        if (use < 0) continue;
        SharedUse& shared = tape_->shared[static_cast<std::size_t>(use)];
        const Dims& result = desc_of(op.result).dims;
        const bool empty = result.product() == 0 || shared.outer.numel() == 0;
        if (!empty && op.op == Op::matmul && k == 1 && shared.outer.dim() == 2) {
          const std::int64_t rows = result.product() / shared.outer.size(1);
          ready.sites[i] = {use, false, ready.sites[i].live, rows};
          run.site_first[i] = std::exchange(shared.product_rows, shared.product_rows + rows * n);
        } else if (!empty && op.op == Op::gather && k == 0 && takes_rows(program, op, shared.outer)) {
          ready.sites[i] = {use, true, ready.sites[i].live, result[0]};
          run.site_first[i] = std::exchange(shared.table_rows, shared.table_rows + result[0] * n);
        } else {
          shared.broadcast = true;
        }
      }
    }
  }

  // --- Pools and groups ---

  void make_pools() {
    for (const PoolLayout& layout : schedule_->pools) {
      const ViewDesc& desc = desc_of(layout.desc);
      Pool pool{layout.desc, capacity(layout.rows), desc.numel(), {}, {}};
      pool.data = uninitialised(pool.rows, pool.width, desc.dtype);
      tape_->pools.push_back(std::move(pool));
    }
    for (std::size_t id = 0; id < graph_.outs.size(); ++id) {
      const Out& out = graph_.outs[id];
      if (out.instance >= 0 || schedule_->pool_of[id] < 0) continue;
      const std::int32_t at = schedule_->pool_of[id];
      copy_in(out.tensor, row_address(tape_->pools[static_cast<std::size_t>(at)].data, schedule_->row_of[id]));
      if (out.grad) tape_->outside.push_back({out.tensor, at, schedule_->row_of[id]});
    }
    const auto n = static_cast<std::int64_t>(schedule_->index.size());
    if (n == 0) return;
    tape_->index = uninitialised(capacity(n), 1, DType::i64);
    std::memcpy(tape_->index.value()->address(), schedule_->index.data(), schedule_->index.size() * sizeof(std::int64_t));
    std::memset(row_address(tape_->index, n), 0, static_cast<std::size_t>(capacity(n) - n) * sizeof(std::int64_t));
  }
  static void copy_in(const Tensor& from, void* to) {
    detail::stream().read(*from.value(), {});
    copy_dense({from.value()->address(), &from.value()->view()}, to);
  }

  const CellProgram& program_of(const Group& group) const { return *instance(group, 0).program; }
  const Instance& instance(const Group& group, std::uint32_t i) const {
    return graph_.instances[static_cast<std::size_t>(schedule_->order[group.first + i])];
  }

  void make_runs() {
    group_of_.resize(graph_.instances.size());
    tape_->groups.resize(schedule_->groups.size());
    for (std::size_t g = 0; g < schedule_->groups.size(); ++g) {
      const Group& group = schedule_->groups[g];
      const CellProgram& program = program_of(group);
      GroupRun& run = tape_->groups[g];
      run.group = static_cast<std::uint32_t>(g);
      run.ready = &prepared(program);
      run.grad = graph_.grad && std::ranges::find(program.result_grad, true) != program.result_grad.end();
      for (std::uint32_t i = 0; i < group.count; ++i)
        group_of_[static_cast<std::size_t>(schedule_->order[group.first + i])] = static_cast<std::int32_t>(g);
      const std::size_t n_inputs = program.variadic ? 1 : program.inputs.size();
      run.outside.resize(n_inputs);
      for (std::size_t k = 0; k < n_inputs; ++k) take_outside(group, run, k);
      if (!run.grad) continue;
      place_uses(run);
      find_producers(group, run);
    }
    if (!graph_.grad) return;
    tape_->token = zeros({});
    tape_->token.requires_grad_();
    for (SharedUse& use : tape_->shared) {
      if (use.product_rows) {
        use.product_inputs = uninitialised(capacity(use.product_rows), use.outer.size(0), use.outer.dtype());
        use.product_grads = uninitialised(capacity(use.product_rows), use.outer.size(1), use.outer.dtype());
      }
      if (use.table_rows) {
        use.table_index = uninitialised(capacity(use.table_rows), 1, DType::i64);
        use.table_grads = uninitialised(capacity(use.table_rows), use.outer.size(1), use.outer.dtype());
      }
    }
  }

  void take_outside(const Group& group, GroupRun& run, std::size_t k) {
    const CellProgram& program = program_of(group);
    const GroupInput& input = schedule_->inputs[group.first_input + k];
    if (input.kind == GroupInput::same)
      run.outside[k] = graph_.outs[static_cast<std::size_t>(graph_.inputs_of(instance(group, 0))[k])].tensor;
    if (input.kind != GroupInput::staged) return;
    const ViewDesc& desc = desc_of(program.inputs[k]);
    const std::int64_t each = program.variadic ? static_cast<std::int64_t>(program.inputs.size()) : 1;
    run.outside[k] = uninitialised(group.count * each, desc.numel(), desc.dtype);
    std::int64_t at = 0;
    for (std::uint32_t i = 0; i < group.count; ++i) {
      const auto inputs = graph_.inputs_of(instance(group, i));
      for (const OutId id : program.variadic ? inputs : inputs.subspan(k, 1))
        copy_in(graph_.outs[static_cast<std::size_t>(id)].tensor, row_address(run.outside[k], at++));
    }
  }

  void find_producers(const Group& group, GroupRun& run) const {
    const CellProgram& program = *run.ready->program;
    for (std::uint32_t i = 0; i < group.count; ++i) {
      const auto inputs = graph_.inputs_of(instance(group, i));
      for (std::size_t k = 0; k < inputs.size(); ++k) {
        const std::int32_t producer = graph_.outs[static_cast<std::size_t>(inputs[k])].instance;
        if (producer < 0 || !program.input_grad[k]) continue;
        const std::int32_t from = group_of_[static_cast<std::size_t>(producer)];
        if (run.producers.empty() ||
            (run.producers.back() != from && std::ranges::find(run.producers, from) == run.producers.end()))
          run.producers.push_back(from);
      }
    }
  }

  // --- The end ---

  // Values whose handles live on get their numbers, and a place on the tape.
  void finish() {
    Tensor root;
    for (std::size_t id = 0; id < graph_.outs.size(); ++id) {
      Out& out = graph_.outs[id];
      if (out.instance < 0 || is_unique(*out.tensor.value())) continue;
      const std::int32_t at = schedule_->pool_of[id];
      const std::int64_t row = schedule_->row_of[id];
      const Pool& pool = tape_->pools[static_cast<std::size_t>(at)];
      Value& value = *out.tensor.value();
      const std::size_t bytes = static_cast<std::size_t>(pool.width) * size_of(desc_of(pool.desc).dtype);
      value.data = allocate_buffer(bytes);
      value.bytes = bytes;
      std::memcpy(value.data, row_address(pool.data, row), bytes);
      value.flags &= ~static_cast<std::uint32_t>(Value::kPending | Value::kRequiresGrad);
      value.write_tag = 0;
      if (!out.grad) continue;
      if (!root.defined()) root = make_root(tape_);
      attach_result(out.tensor, tape_, root, at, row, group_of_[static_cast<std::size_t>(out.instance)]);
    }
    for (SharedUse& use : tape_->shared) use.version = use.outer.value()->owner()->version;
    if (!root.defined()) tape_->free();
    for (const Instance& each : graph_.instances) each.program->shared.clear();
  }

  Graph& graph_;
  std::shared_ptr<const Schedule> schedule_;
  std::shared_ptr<Tape> tape_;
  std::vector<std::int32_t> group_of_;  // by instance
};

}  // namespace

void run(Graph& graph) {
  BatchStats& stats = batch_stats();
  const std::uint64_t start = now();
  Execution execution(graph);
  const std::uint64_t scheduled = now();
  const GradModeGuard mode(true);
  execution.run();
  ++stats.graphs;
  stats.instances += graph.instances.size();
  stats.groups += execution.groups();
  stats.schedule_ns += scheduled - start;
  stats.run_ns += now() - scheduled;
}

void poison(Graph& graph) noexcept {
  for (const Out& out : graph.outs) {
    if (out.instance < 0) continue;
    Value& value = *out.tensor.value();
    if (value.flags & Value::kPending) {
      value.flags &= ~static_cast<std::uint32_t>(Value::kPending);
      value.flags |= Value::kPoisoned;
      value.write_tag = 0;
    }
  }
}

}  // namespace swage::grouping
