// A group op by op: the rows of its inputs, the ops of its program on them, and its results into their pools; and the way back.
#include <swage/autograd/grad_mode.hpp>
#include <swage/autograd/pass.hpp>
#include <swage/batch/replay.hpp>
#include <swage/batch/run.hpp>
#include <swage/detail/call.hpp>
#include <swage/detail/composite.hpp>
#include <swage/index.hpp>
#include <swage/products.hpp>
#include <swage/reduce.hpp>

namespace swage::grouping {
namespace {

void write(const Tensor& to, const Tensor& from) { detail::call_in_place({}, Op::assign, {to, from}); }
void add(const Tensor& to, const Tensor& from) { detail::call_in_place({}, Op::add, {to, from}); }

// Of a product with a shared matrix. Operand 1 is the tape's token: it makes sure that the rows are kept where `a` needs no gradient.
struct ProductGradient final : autograd::CustomGradient {
  Tape* tape = nullptr;  // which owns this
  std::size_t use = 0;
  std::int64_t row = 0;
  std::int32_t op = 0;
  Tensor gradient(const Tensor& grad, std::size_t operand) override {
    const SharedUse& shared = tape->shared[use];
    if (operand == 0) return matmul(grad, shared.plain.t());
    write(rows_of(shared.product_grads, row, grad.sizes()[0], {Start::site, op}), grad);
    return {};
  }
};

struct RowsGradient final : autograd::CustomGradient {
  Tape* tape = nullptr;
  std::size_t use = 0;
  std::int64_t row = 0;
  std::int32_t op = 0;
  Tensor gradient(const Tensor& grad, std::size_t) override {
    write(rows_of(tape->shared[use].table_grads, row, grad.sizes()[0], {Start::site, op}), grad);
    return {};
  }
};

class Call {
 public:
  Call(Tape& tape, GroupRun& run) : tape_(tape), run_(run), program_(*run.ready->program), n_(tape.group_of(run).count) {}

  void operator()() {
    {
      const NoGradGuard no_grad;
      const std::size_t n_inputs = program_.variadic ? 1 : program_.inputs.size();
      for (std::size_t k = 0; k < n_inputs; ++k) {
        inputs_.push_back(input_rows(k));
        if (!run_.grad || !program_.input_grad[k]) continue;
        run_.inputs.push_back({inputs_.back().tensor.requires_grad_(), static_cast<std::int32_t>(k)});
      }
    }
    locals_.resize(program_.ops.size());
    for (std::size_t i = 0; i < program_.ops.size(); ++i) locals_[i] = program_.ops[i].rows ? run_op(i) : run_.ready->once[i];
    write_results();
  }

 private:
  Lane input_rows(std::size_t k) const {
    const std::int64_t each = program_.variadic ? static_cast<std::int64_t>(program_.inputs.size()) : 1;
    const std::int64_t n = n_ * each;
    const GroupInput& input = tape_.input_of(run_, k);
    const Dims& dims = desc_of(program_.inputs[k]).dims;
    Dims sizes = {n_};
    if (program_.variadic) sizes.push_back(each);
    for (const std::int64_t extent : dims) sizes.push_back(extent);
    if (input.kind == GroupInput::same) return {run_.outside[k].unsqueeze(0).expand(sizes), true};
    if (input.kind == GroupInput::staged) return {run_.outside[k], true, sizes};
    const Pool& pool = tape_.pool_of_input(run_, k);
    const Start start{Start::input, static_cast<std::int32_t>(k)};
    if (input.kind == GroupInput::in_place) return {rows_of(pool.data, input.first, n, start), true, sizes};
    return {gather(pool.data, 0, rows_of(tape_.index, input.first, n, start).expand({n, pool.width})), true, sizes};
  }

  Lane operand(OperandRef ref, bool taped) {
    const auto at = static_cast<std::size_t>(ref.index);
    if (ref.kind == OperandRef::input) return inputs_[at];
    if (ref.kind == OperandRef::local && locals_[at].rows) return locals_[at];
    const std::int32_t use = run_.ready->use_of(ref);
    if (use < 0) return run_.ready->lane_of(ref);
    const Tensor& plain = tape_.shared[static_cast<std::size_t>(use)].plain;
    if (!taped) return {plain, false};
    for (const GroupRun::Leaf& leaf : run_.shared)
      if (leaf.of == use) return {leaf.tensor, false};
    const Tensor leaf = plain.detach().requires_grad_();
    run_.shared.push_back({leaf, use});
    return {leaf, false};
  }

  Lane run_op(std::size_t i) {
    const BodyOp& op = program_.ops[i];
    const GradModeGuard mode(op.tape && run_.grad);
    const auto refs = program_.operands_of(op);
    if (program_.variadic) return apply(program_, op, {inputs_.data(), 1}, n_);
    const Prepared::Site& site = run_.ready->sites[i];
    if (site.use >= 0 && run_.grad) return site_result(i, operand(refs[site.table ? 1 : 0], op.tape));
    std::vector<Lane> lanes;
    lanes.reserve(refs.size());
    for (const OperandRef& ref : refs) {
      if (ref.kind == OperandRef::slot || ref.kind == OperandRef::literal)
        lanes.emplace_back();
      else
        lanes.push_back(operand(ref, op.tape && run_.grad));
    }
    return apply(program_, op, lanes, n_);
  }

  // A product with a shared matrix, or rows of a shared table: its gradient is not computed here; what it needs is kept.
  Lane site_result(std::size_t i, const Lane& from) {
    const BodyOp& op = program_.ops[i];
    const Prepared::Site& site = run_.ready->sites[i];
    const SharedUse& shared = tape_.shared[static_cast<std::size_t>(site.use)];
    const SiteScope scope(op.site);
    const std::int64_t rows = site.rows * n_, first = run_.site_first[i];
    const Start start{Start::site, static_cast<std::int32_t>(i)};
    Tensor made, a;
    {
      const NoGradGuard no_grad;
      if (site.table) {
        const Tensor column = detail::narrow({}, from.get(), from.sizes().rank() - 1, 0, 1);
        const Tensor index = detail::reshape({}, column, {rows, 1});
        write(rows_of(shared.table_index, first, rows, start), index);
        made = gather(shared.plain, 0, index.expand({rows, shared.plain.sizes()[1]}));
      }
    }
    if (site.table) return {on_tape<RowsGradient>(made, {}, i), true, with_rows(n_, desc_of(op.result).dims)};
    a = from.as({rows, from.sizes()[from.sizes().rank() - 1]});
    {
      const NoGradGuard no_grad;
      write(rows_of(shared.product_inputs, first, rows, start), a);
      made = matmul(a, shared.plain);
    }
    return {on_tape<ProductGradient>(made, a, i), true, with_rows(n_, desc_of(op.result).dims)};
  }

  template <class Rule>
  Tensor on_tape(Tensor& made, const Tensor& a, std::size_t i) {
    auto rule = std::make_unique<Rule>();
    rule->name = name_of(program_.ops[i].op).data();
    if (a.defined()) rule->edges.push_back(autograd::edge_to(a.value()));
    rule->edges.push_back(autograd::edge_to(tape_.token.value()));
    rule->tape = &tape_;
    rule->use = static_cast<std::size_t>(run_.ready->sites[i].use);
    rule->row = run_.site_first[i];
    rule->op = static_cast<std::int32_t>(i);
    autograd::NodeRef node = autograd::new_node();
    node->site = SiteScope::or_else({});
    node->custom = std::move(rule);
    autograd::attach(*made.value(), std::move(node));
    return made;
  }

  void write_results() {
    for (std::size_t j = 0; j < program_.outputs.size(); ++j) {
      const Pool& pool = tape_.pool_of_result(run_, j);
      const Lane lane = operand(program_.outputs[j], program_.result_grad[j] && run_.grad);
      const NoGradGuard no_grad;
      const Tensor from = lane.as({lane.rows ? n_ : 1, pool.width});
      write(rows_of(pool.data, tape_.row_of_result(run_, j), n_, {Start::result, static_cast<std::int32_t>(j)}), from);
      // The rows of a pool are written once each: what a tape has saved of it stays as it was.
      pool.data.value()->version = 0;
      if (run_.grad && program_.result_grad[j] && lane.tensor.requires_grad())
        run_.results.push_back({autograd::edge_to(lane.tensor.value()), lane.rows, static_cast<std::int32_t>(j)});
    }
  }

  Tape& tape_;
  GroupRun& run_;
  const CellProgram& program_;
  std::int64_t n_;
  std::vector<Lane> inputs_, locals_;
};

}  // namespace

void call_group(Tape& tape, GroupRun& run) { Call(tape, run)(); }

void call_group_backward(Tape& tape, GroupRun& run) {
  const std::int64_t n_instances = tape.group_of(run).count;
  autograd::Gradients seeds;
  std::vector<autograd::Edge> from;
  for (const GroupRun::Result& result : run.results) {
    const auto j = static_cast<std::size_t>(result.result);
    Tensor rows =
        rows_of(tape.pool_of_result(run, j).grad, tape.row_of_result(run, j), n_instances, {Start::result, result.result});
    if (!result.rows) rows = sum(rows, 0);
    seeds.push_back(detail::reshape({}, rows, desc_of(result.edge.desc).dims));
    from.push_back(result.edge);
  }
  autograd::send_back(from, std::move(seeds));
  for (const GroupRun::Leaf& leaf : run.inputs) {
    const Tensor gradient = leaf.tensor.grad();
    if (!gradient.defined()) continue;
    leaf.tensor.set_grad({});
    const auto k = static_cast<std::size_t>(leaf.of);
    const GroupInput& input = tape.input_of(run, k);
    const Pool& pool = tape.pool_of_input(run, k);
    const std::int64_t n = pool.width ? gradient.numel() / pool.width : 0;
    const Tensor rows = detail::reshape({}, gradient, {n, pool.width});
    const Start start{Start::input, leaf.of};
    if (input.kind == GroupInput::in_place)
      add(rows_of(pool.grad, input.first, n, start), rows);
    else
      detail::scatter_add_in_place({}, pool.grad, 0, rows_of(tape.index, input.first, n, start).expand({n, pool.width}), rows);
  }
  for (const GroupRun::Leaf& leaf : run.shared) {
    const Tensor gradient = leaf.tensor.grad();
    if (!gradient.defined()) continue;
    leaf.tensor.set_grad({});
    add(tape.shared[static_cast<std::size_t>(leaf.of)].sum, gradient);
  }
}

}  // namespace swage::grouping
