#include <swage/batch/run.hpp>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstring>

#include <kernels/cpu/layout.hpp>
#include <runtime/core/allocator.hpp>
#include <swage/autograd/grad_mode.hpp>
#include <swage/creation.hpp>
#include <swage/detail/call.hpp>
#include <swage/detail/composite.hpp>
#include <swage/index.hpp>

namespace swage::grouping {

Tensor rows_of(const Tensor& matrix, std::int64_t first, std::int64_t n) { return detail::narrow({}, matrix, 0, first, n); }

Tensor uninitialised(std::int64_t rows, std::int64_t width, DType dtype) {
  const auto bytes = static_cast<std::size_t>(rows * width) * size_of(dtype);
  return Tensor(detail::stream().adopt_buffer(allocate_buffer(bytes), bytes, intern(dtype, {rows, width}), true));
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

char* row_address(const Tensor& matrix, std::int64_t row, std::int64_t width) {
  return static_cast<char*>(matrix.value()->address()) + row * width * static_cast<std::int64_t>(size_of(matrix.dtype()));
}

// What a program is in this graph: its shared values, computed once, and where they are used.
struct Prepared {
  std::vector<Lane> shared;                // of its shared values
  std::vector<Lane> once;                  // by op: results of ops without rows
  std::vector<std::int32_t> shared_use;    // by shared value; −1: no gradient
  std::vector<std::int32_t> once_use;      // by op, likewise
  struct Site {
    std::int32_t use = -1;
    bool table = false;
    std::int64_t rows = 0;  // of one instance
  };
  std::vector<Site> sites;  // by op
};

class Execution {
 public:
  explicit Execution(Graph& graph) : graph_(graph), schedule_(schedule_of(graph)) {}

  std::size_t groups() const { return schedule_->groups.size(); }

  void run() {
    detail::stream().cut(CutReason::scope, {});
    tape_ = std::make_shared<Tape>();
    tape_->schedule = schedule_;
    prepare_programs();
    make_pools();
    if (graph_.grad) {
      count_uses();
      tape_->token = zeros({});
      tape_->token.requires_grad_();
    }
    tape_of_group_.assign(schedule_->groups.size(), -1);
    if (graph_.grad) map_groups();
    detail::stream().cut(CutReason::scope, {});
    for (std::size_t g = 0; g < schedule_->groups.size(); ++g) {
      run_group(static_cast<std::uint32_t>(g));
      detail::stream().cut(CutReason::scope, {});
    }
    finish();
  }

 private:
  // --- Shared values ---

  std::int32_t use_of(const Tensor& tensor) {
    if (!tensor.requires_grad()) return -1;
    const auto found = std::ranges::find_if(tape_->shared, [&](const SharedUse& use) { return use.outer.value() == tensor.value(); });
    if (found != tape_->shared.end()) return static_cast<std::int32_t>(found - tape_->shared.begin());
    SharedUse use;
    use.outer = tensor;
    tape_->shared.push_back(std::move(use));
    return static_cast<std::int32_t>(tape_->shared.size() - 1);
  }

  Prepared& prepared(const Program& program) {
    for (auto& [known, ready] : prepared_)
      if (known == &program) return *ready;
    return *prepared_.emplace_back(&program, std::make_unique<Prepared>()).second;
  }

  void prepare_programs() {
    for (const Group& group : schedule_->groups) {
      const Program& program = program_of(group);
      Prepared& ready = prepared(program);
      if (ready.once.size() == program.ops.size()) continue;
      for (const Tensor& tensor : program.shared) {
        ready.shared.push_back({tensor, false});
        ready.shared_use.push_back(use_of(tensor));
      }
      ready.sites.resize(program.ops.size());
      for (const BodyOp& op : program.ops) {
        Lane lane;
        if (!op.rows) {
          std::vector<Lane> lanes;
          for (const OperandRef& ref : program.operands_of(op)) lanes.push_back(shared_lane(ready, ref));
          const GradModeGuard mode(op.tape);
          lane = op.count == 0 ? Lane{made(op), false} : apply(program, op, lanes, 1);
        }
        ready.once.push_back(lane);
        ready.once_use.push_back(lane.tensor.defined() ? use_of(lane.tensor) : -1);
      }
    }
    const NoGradGuard no_grad;
    for (SharedUse& use : tape_->shared) use.plain = use.outer.detach();
  }
  static Tensor made(const BodyOp& op) {
    OpCall call;
    call.op = op.op;
    call.attr = op.attr;
    call.scalar = op.scalar;
    call.site = op.site;
    return detail::emit(call);
  }
  static Lane shared_lane(const Prepared& ready, OperandRef ref) {
    if (ref.kind == OperandRef::shared) return ready.shared[static_cast<std::size_t>(ref.index)];
    if (ref.kind == OperandRef::local) return ready.once[static_cast<std::size_t>(ref.index)];
    return {};
  }
  static std::int32_t use_of_ref(const Prepared& ready, OperandRef ref) {
    if (ref.kind == OperandRef::shared) return ready.shared_use[static_cast<std::size_t>(ref.index)];
    if (ref.kind == OperandRef::local) return ready.once_use[static_cast<std::size_t>(ref.index)];
    return -1;
  }

  // Where shared matrices and tables are used, and how many rows they will see; all other uses are summed as they come.
  void count_uses() {
    for (const Group& group : schedule_->groups) {
      const Program& program = program_of(group);
      Prepared& ready = prepared(program);
      for (std::size_t i = 0; i < program.ops.size(); ++i) {
        const BodyOp& op = program.ops[i];
        if (!op.rows || !op.tape) continue;
        const auto refs = program.operands_of(op);
        for (std::size_t k = 0; k < refs.size(); ++k) {
          const std::int32_t use = use_of_ref(ready, refs[k]);
          if (use < 0) continue;
          SharedUse& shared = tape_->shared[static_cast<std::size_t>(use)];
          const Dims& result = desc_of(op.result).dims;
          if (op.op == Op::matmul && k == 1 && shared.outer.dim() == 2) {
            const std::int64_t rows = shared.outer.size(1) ? result.product() / shared.outer.size(1) : 0;
            ready.sites[i] = {use, false, rows};
            shared.product_rows += rows * group.count;
          } else if (op.op == Op::gather && k == 0 && takes_rows(op, shared.outer)) {
            ready.sites[i] = {use, true, result[0]};
            shared.table_rows += result[0] * group.count;
          } else {
            shared.broadcast = true;
          }
        }
      }
    }
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
    product_rows_.assign(tape_->shared.size(), 0);
    table_rows_.assign(tape_->shared.size(), 0);
  }
  // Whole rows: the index is the same along them. `embedding` asks so.
  static bool takes_rows(const BodyOp& op, const Tensor& table) {
    const Dims& result = desc_of(op.result).dims;
    return attribute_of(op.attr).ints[0] == 0 && table.dim() == 2 && result.rank() == 2 && result[1] == table.size(1);
  }

  // --- Pools ---

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
      const Pool& pool = tape_->pools[static_cast<std::size_t>(at)];
      copy_in(out.tensor, row_address(pool.data, schedule_->row_of[id], pool.width));
      if (out.grad) tape_->outside.push_back({out.tensor, at, schedule_->row_of[id]});
    }
    const auto n = static_cast<std::int64_t>(schedule_->index.size());
    if (n == 0) return;
    tape_->index = uninitialised(capacity(n), 1, DType::i64);
    std::memcpy(tape_->index.value()->address(), schedule_->index.data(), schedule_->index.size() * sizeof(std::int64_t));
    std::memset(row_address(tape_->index, n, 1), 0, static_cast<std::size_t>(capacity(n) - n) * sizeof(std::int64_t));
  }
  static void copy_in(const Tensor& from, void* to) {
    detail::stream().read(*from.value(), {});
    copy_dense({from.value()->address(), &from.value()->view()}, to);
  }

  // --- Groups ---

  const Program& program_of(const Group& group) const { return *instance(group, 0).program; }
  const Instance& instance(const Group& group, std::uint32_t i) const {
    return graph_.instances[static_cast<std::size_t>(schedule_->order[group.first + i])];
  }

  void map_groups() {
    group_of_.resize(graph_.instances.size());
    for (std::size_t g = 0; g < schedule_->groups.size(); ++g) {
      const Group& group = schedule_->groups[g];
      for (std::uint32_t i = 0; i < group.count; ++i)
        group_of_[static_cast<std::size_t>(schedule_->order[group.first + i])] = static_cast<std::int32_t>(g);
    }
  }

  Lane input_rows(const Group& group, std::size_t k) const {
    const Program& program = program_of(group);
    const GroupInput& input = schedule_->inputs[group.first_input + k];
    const std::int64_t each = program.variadic ? static_cast<std::int64_t>(program.inputs.size()) : 1;
    const std::int64_t n = group.count * each;
    if (input.kind == GroupInput::same) {
      const Tensor& tensor = graph_.outs[static_cast<std::size_t>(graph_.inputs_of(instance(group, 0))[k])].tensor;
      Dims sizes = {n};
      for (const std::int64_t extent : tensor.sizes()) sizes.push_back(extent);
      return {tensor.unsqueeze(0).expand(sizes), true};
    }
    const ViewDesc& desc = desc_of(program.inputs[k]);
    Tensor rows;
    if (input.kind == GroupInput::staged) {
      rows = uninitialised(n, desc.numel(), desc.dtype);
      std::int64_t at = 0;
      for (std::uint32_t i = 0; i < group.count; ++i) {
        const auto inputs = graph_.inputs_of(instance(group, i));
        for (const OutId id : program.variadic ? inputs : inputs.subspan(k, 1))
          copy_in(graph_.outs[static_cast<std::size_t>(id)].tensor, row_address(rows, at++, desc.numel()));
      }
    } else {
      const Pool& pool = tape_->pools[static_cast<std::size_t>(input.pool)];
      if (input.kind == GroupInput::in_place)
        rows = rows_of(pool.data, input.first, n);
      else
        rows = gather(pool.data, 0, rows_of(tape_->index, input.first, n).expand({n, pool.width}));
    }
    Dims sizes = {group.count};
    if (program.variadic) sizes.push_back(each);
    for (const std::int64_t extent : desc.dims) sizes.push_back(extent);
    return {std::move(rows), true, sizes};
  }

  void run_group(std::uint32_t g) {
    const Group& group = schedule_->groups[g];
    const Program& program = program_of(group);
    const Prepared& ready = prepared(program);
    const bool grad = std::ranges::find(program.result_grad, true) != program.result_grad.end();
    GroupTape tape;
    tape.group = g;
    std::vector<Lane> inputs;
    {
      const NoGradGuard no_grad;
      const std::size_t n_inputs = program.variadic ? 1 : program.inputs.size();
      for (std::size_t k = 0; k < n_inputs; ++k) {
        inputs.push_back(input_rows(group, k));
        if (!grad || !program.input_grad[k]) continue;
        tape.inputs.push_back({inputs.back().tensor.requires_grad_(), static_cast<std::int32_t>(k)});
      }
    }
    std::vector<Lane> locals(program.ops.size());
    for (std::size_t i = 0; i < program.ops.size(); ++i)
      locals[i] = program.ops[i].rows ? run_op(program, ready, group, i, inputs, locals, tape) : ready.once[i];
    write_results(g, program, ready, inputs, locals, tape);
    if (!grad) return;
    tape_of_group_[g] = static_cast<std::int32_t>(tape_->groups.size());
    find_producers(group, program, tape);
    tape_->groups.push_back(std::move(tape));
  }

  Lane operand(const Prepared& ready, OperandRef ref, const std::vector<Lane>& inputs, const std::vector<Lane>& locals, bool taped,
               GroupTape& tape) const {
    const auto at = static_cast<std::size_t>(ref.index);
    if (ref.kind == OperandRef::input) return inputs[at];
    if (ref.kind == OperandRef::local && locals[at].rows) return locals[at];
    const std::int32_t use = use_of_ref(ready, ref);
    if (use < 0) return shared_lane(ready, ref);
    const Tensor& plain = tape_->shared[static_cast<std::size_t>(use)].plain;
    if (!taped) return {plain, false};
    for (const GroupTape::Leaf& leaf : tape.shared)
      if (leaf.of == use) return {leaf.tensor, false};
    const Tensor leaf = plain.detach().requires_grad_();
    tape.shared.push_back({leaf, use});
    return {leaf, false};
  }

  Lane run_op(const Program& program, const Prepared& ready, const Group& group, std::size_t i, const std::vector<Lane>& inputs,
              const std::vector<Lane>& locals, GroupTape& tape) {
    const BodyOp& op = program.ops[i];
    const GradModeGuard mode(op.tape && graph_.grad);
    const auto refs = program.operands_of(op);
    if (program.variadic) {
      const Lane all[] = {inputs[0]};
      return apply(program, op, all, group.count);
    }
    const Prepared::Site& site = ready.sites[i];
    if (site.use >= 0) {
      const Lane from = operand(ready, refs[site.table ? 1 : 0], inputs, locals, op.tape, tape);
      return site_result(op, site, from, group.count);
    }
    std::vector<Lane> lanes;
    lanes.reserve(refs.size());
    for (const OperandRef& ref : refs) {
      if (ref.kind == OperandRef::slot || ref.kind == OperandRef::literal)
        lanes.emplace_back();
      else
        lanes.push_back(operand(ready, ref, inputs, locals, op.tape, tape));
    }
    return apply(program, op, lanes, group.count);
  }

  Lane site_result(const BodyOp& op, const Prepared::Site& site, const Lane& from, std::int64_t n) {
    const SiteScope scope(op.site);
    std::int64_t& row = (site.table ? table_rows_ : product_rows_)[static_cast<std::size_t>(site.use)];
    const std::int64_t rows = site.rows * n, first = std::exchange(row, row + rows);
    const Dims& result = desc_of(op.result).dims;
    Dims sizes = {n};
    for (const std::int64_t extent : result) sizes.push_back(extent);
    Tensor made;
    if (site.table) {
      const Tensor index = detail::narrow({}, from.get(), from.sizes().rank() - 1, 0, 1);
      made = shared_rows(*tape_, site.use, first, detail::reshape({}, index, {rows, 1}));
    } else {
      made = shared_product(*tape_, site.use, first, from.as({rows, from.sizes()[from.sizes().rank() - 1]}));
    }
    return {std::move(made), true, sizes};
  }

  void write_results(std::uint32_t g, const Program& program, const Prepared& ready, const std::vector<Lane>& inputs,
                     const std::vector<Lane>& locals, GroupTape& tape) {
    const Group& group = schedule_->groups[g];
    for (std::size_t j = 0; j < program.outputs.size(); ++j) {
      const std::int32_t at = schedule_->result_pools[group.first_row + j];
      const std::int64_t row = schedule_->result_rows[group.first_row + j];
      const Pool& pool = tape_->pools[static_cast<std::size_t>(at)];
      const Lane lane = operand(ready, program.outputs[j], inputs, locals, program.result_grad[j], tape);
      const NoGradGuard no_grad;
      const Tensor from = lane.as({lane.rows ? group.count : 1, pool.width});
      detail::call_in_place({}, Op::assign, {rows_of(pool.data, row, group.count), from});
      // The rows of a pool are written once each: what a tape has saved of it stays as it was.
      pool.data.value()->version = 0;
      if (program.result_grad[j] && lane.tensor.requires_grad())
        tape.results.push_back({autograd::edge_to(lane.tensor.value()), lane.rows, at, row});
    }
  }

  void find_producers(const Group& group, const Program& program, GroupTape& tape) const {
    for (std::uint32_t i = 0; i < group.count; ++i) {
      const auto inputs = graph_.inputs_of(instance(group, i));
      for (std::size_t k = 0; k < inputs.size(); ++k) {
        const std::int32_t producer = graph_.outs[static_cast<std::size_t>(inputs[k])].instance;
        if (producer < 0 || !program.input_grad[k]) continue;
        const std::int32_t from = tape_of_group_[static_cast<std::size_t>(group_of_[static_cast<std::size_t>(producer)])];
        if (from >= 0 && std::ranges::find(tape.producers, from) == tape.producers.end()) tape.producers.push_back(from);
      }
    }
  }

  // --- The end ---

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
      std::memcpy(value.data, row_address(pool.data, row, pool.width), bytes);
      value.flags &= ~static_cast<std::uint32_t>(Value::kPending | Value::kRequiresGrad);
      value.write_tag = 0;
      if (!out.grad) continue;
      if (!root.defined()) root = make_root(tape_);
      attach_result(out.tensor, tape_, root, at, row,
                    tape_of_group_[static_cast<std::size_t>(group_of_[static_cast<std::size_t>(out.instance)])]);
    }
    if (!root.defined()) tape_->free();
    for (auto& [program, ready] : prepared_) const_cast<Program*>(program)->shared.clear();
  }

  Graph& graph_;
  std::shared_ptr<const Schedule> schedule_;
  std::shared_ptr<Tape> tape_;
  std::vector<std::pair<const Program*, std::unique_ptr<Prepared>>> prepared_;
  std::vector<std::int64_t> product_rows_, table_rows_;  // by shared use: rows given out so far
  std::vector<std::int32_t> tape_of_group_, group_of_;
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
