// Backward through a graph: see run.hpp.
#include <cstring>

#include <runtime/core/error.hpp>
#include <swage/autograd/grad_mode.hpp>
#include <swage/autograd/pass.hpp>
#include <swage/autograd/row_gradients.hpp>
#include <swage/batch/run.hpp>
#include <swage/creation.hpp>
#include <swage/detail/call.hpp>
#include <swage/detail/composite.hpp>
#include <swage/index.hpp>
#include <swage/products.hpp>
#include <swage/reduce.hpp>

namespace swage::grouping {
namespace {

void refuse_second_order() {
  if (GradMode::enabled())
    raise<AutogradError>(SiteScope::or_else({}),
                         "[backward] create_graph cannot go through a batch scope: differentiate twice outside of swage::batch");
}

void write(const Tensor& to, const Tensor& from) { detail::call_in_place({}, Op::assign, {to, from}); }
void add(const Tensor& to, const Tensor& from) { detail::call_in_place({}, Op::add, {to, from}); }

Tensor cleared(std::int64_t rows, std::int64_t width, DType dtype) {
  Tensor matrix = uninitialised(rows, width, dtype);
  std::memset(matrix.value()->address(), 0, static_cast<std::size_t>(rows * width) * size_of(dtype));
  return matrix;
}

// Of a product with a shared matrix. Operand 1 is the tape's token: it makes sure that the rows are kept where `a` needs no gradient.
struct ProductGradient final : autograd::CustomGradient {
  Tape* tape = nullptr;  // which owns this
  std::size_t use = 0;
  std::int64_t row = 0;
  Tensor gradient(const Tensor& grad, std::size_t operand) override {
    const SharedUse& shared = tape->shared[use];
    if (operand == 0) return matmul(grad, shared.plain.t());
    write(rows_of(shared.product_grads, row, grad.sizes()[0]), grad);
    return {};
  }
};

struct RowsGradient final : autograd::CustomGradient {
  Tape* tape = nullptr;  // which owns this
  std::size_t use = 0;
  std::int64_t row = 0;
  Tensor gradient(const Tensor& grad, std::size_t) override {
    write(rows_of(tape->shared[use].table_grads, row, grad.sizes()[0]), grad);
    return {};
  }
};

// Owns the tape's groups, in a manner of speaking: they hold nodes that the tape does not survive.
struct RootGradient final : autograd::CustomGradient {
  std::shared_ptr<Tape> tape;
  ~RootGradient() override { tape->free(); }
  Tensor gradient(const Tensor&, std::size_t operand) override {
    refuse_second_order();
    if (tape->running) tape->run_backward();
    if (operand < tape->shared.size()) return tape->shared[operand].gradient;
    const Tape::Outside& outside = tape->outside[operand - tape->shared.size()];
    const Pool& pool = tape->pools[static_cast<std::size_t>(outside.pool)];
    return detail::reshape({}, rows_of(pool.grad, outside.row, 1), outside.tensor.sizes());
  }
  void free_saved() noexcept override { tape->free(); }
};

struct ResultGradient final : autograd::CustomGradient {
  std::shared_ptr<Tape> tape;
  std::int32_t pool = 0, group = 0;
  std::int64_t row = 0;
  Tensor gradient(const Tensor& grad, std::size_t) override {
    refuse_second_order();
    const bool first = !tape->running;
    tape->begin_pass();
    tape->add_gradient(pool, row, grad, group);
    return first ? tape->token.detach() : Tensor();  // the root's turn comes once, after all results'
  }
};

template <class T>
void put_on_tape(std::unique_ptr<T> rule, const char* name, Tensor& result) {
  rule->name = name;
  autograd::NodeRef node = autograd::new_node();
  node->site = SiteScope::or_else({});
  node->custom = std::move(rule);
  autograd::attach(*result.value(), std::move(node));
}

}  // namespace

void Tape::begin_pass() {
  if (running) return;
  running = true;
  reached.assign(groups.size(), false);
  for (std::size_t k = 0; k < pools.size(); ++k)
    if (schedule->pools[k].grad) pools[k].grad = cleared(pools[k].rows, pools[k].width, pools[k].data.dtype());
  for (SharedUse& use : shared) {
    use.gradient = {};
    for (const Tensor* grads : {&use.product_grads, &use.table_grads})
      if (grads->defined())
        std::memset(grads->value()->address(), 0, static_cast<std::size_t>(grads->numel()) * size_of(grads->dtype()));
    if (use.broadcast)
      use.sum = detail::reshape({}, cleared(use.outer.numel(), 1, use.outer.dtype()), use.outer.sizes());
  }
}

void Tape::add_gradient(std::int32_t pool, std::int64_t row, const Tensor& gradient, std::int32_t tape) {
  const Pool& to = pools[static_cast<std::size_t>(pool)];
  if (tape >= 0) reached[static_cast<std::size_t>(tape)] = true;
  add(rows_of(to.grad, row, 1), detail::reshape({}, gradient, {1, to.width}));
}

void Tape::run_group_backward(const GroupTape& tape) {
  const Group& group = schedule->groups[tape.group];
  autograd::Gradients seeds;
  std::vector<autograd::Edge> from;
  for (const GroupTape::Result& result : tape.results) {
    const Pool& pool = pools[static_cast<std::size_t>(result.pool)];
    Tensor rows = rows_of(pool.grad, result.row, group.count);
    if (!result.rows) rows = sum(rows, 0);
    seeds.push_back(detail::reshape({}, rows, desc_of(result.edge.desc).dims));
    from.push_back(result.edge);
  }
  autograd::send_back(from, std::move(seeds));
  for (const GroupTape::Leaf& leaf : tape.inputs) {
    const Tensor gradient = leaf.tensor.grad();
    if (!gradient.defined()) continue;
    leaf.tensor.set_grad({});
    const GroupInput& input = schedule->inputs[group.first_input + static_cast<std::size_t>(leaf.of)];
    const Pool& pool = pools[static_cast<std::size_t>(input.pool)];
    const std::int64_t n = pool.width ? gradient.numel() / pool.width : 0;
    const Tensor rows = detail::reshape({}, gradient, {n, pool.width});
    if (input.kind == GroupInput::in_place)
      add(rows_of(pool.grad, input.first, n), rows);
    else
      detail::scatter_add_in_place({}, pool.grad, 0, rows_of(index, input.first, n).expand({n, pool.width}), rows);
  }
  for (const GroupTape::Leaf& leaf : tape.shared) {
    const Tensor gradient = leaf.tensor.grad();
    if (!gradient.defined()) continue;
    leaf.tensor.set_grad({});
    add(shared[static_cast<std::size_t>(leaf.of)].sum, gradient);
  }
}

void Tape::run_backward() {
  running = false;
  Stream& stream = detail::stream();
  stream.cut(CutReason::scope, {});
  for (std::size_t g = groups.size(); g-- > 0;) {
    if (!reached[g]) continue;
    for (const std::int32_t producer : groups[g].producers) reached[static_cast<std::size_t>(producer)] = true;
    run_group_backward(groups[g]);
    stream.cut(CutReason::scope, {});
  }
  for (SharedUse& use : shared) use.gradient = gradient_of(use);
  stream.cut(CutReason::scope, {});
}

Tensor Tape::gradient_of(const SharedUse& use) {
  Tensor total;
  const auto include = [&](const Tensor& part) { total = total.defined() ? detail::binary({}, Op::add, total, part) : part; };
  if (use.product_rows)
    include(matmul(rows_of(use.product_inputs, 0, use.product_rows).t(), rows_of(use.product_grads, 0, use.product_rows)));
  const Tensor index_rows = use.table_rows ? rows_of(use.table_index, 0, use.table_rows) : Tensor();
  if (use.table_rows && autograd::keeps_rows(use.outer)) {
    autograd::add_rows(use.outer, index_rows, rows_of(use.table_grads, 0, use.table_rows));
  } else if (use.table_rows) {
    const std::int64_t width = use.outer.sizes()[1];
    const Tensor dense = cleared(use.outer.sizes()[0], width, use.outer.dtype());
    detail::scatter_add_in_place({}, dense, 0, index_rows.expand({use.table_rows, width}), rows_of(use.table_grads, 0, use.table_rows));
    include(dense);
  }
  if (use.broadcast) include(use.sum);
  return total;
}

void Tape::free() noexcept {
  groups.clear();
  pools.clear();
  for (SharedUse& use : shared) use = {};
  outside.clear();
  index = {};
}

Tensor make_root(const std::shared_ptr<Tape>& tape) {
  Tensor root = tape->token.detach();
  auto rule = std::make_unique<RootGradient>();
  for (const SharedUse& use : tape->shared) rule->edges.push_back(autograd::edge_to(use.outer.value()));
  for (const Tape::Outside& outside : tape->outside) rule->edges.push_back(autograd::edge_to(outside.tensor.value()));
  rule->tape = tape;
  put_on_tape(std::move(rule), "batch", root);
  return root;
}

void attach_result(Tensor& result, const std::shared_ptr<Tape>& tape, const Tensor& root, std::int32_t pool, std::int64_t row,
                   std::int32_t group_tape) {
  auto rule = std::make_unique<ResultGradient>();
  rule->edges.push_back(autograd::edge_to(root.value()));
  rule->tape = tape;
  rule->pool = pool;
  rule->row = row;
  rule->group = group_tape;
  put_on_tape(std::move(rule), "batch", result);
}

Tensor shared_product(Tape& tape, std::int32_t use, std::int64_t row, const Tensor& a) {
  const SharedUse& shared = tape.shared[static_cast<std::size_t>(use)];
  Tensor result;
  {
    const NoGradGuard no_grad;
    write(rows_of(shared.product_inputs, row, a.sizes()[0]), a);
    result = matmul(a, shared.plain);
  }
  auto rule = std::make_unique<ProductGradient>();
  rule->edges.push_back(autograd::edge_to(a.value()));
  rule->edges.push_back(autograd::edge_to(tape.token.value()));
  rule->tape = &tape;
  rule->use = static_cast<std::size_t>(use);
  rule->row = row;
  put_on_tape(std::move(rule), "matmul", result);
  return result;
}

Tensor shared_rows(Tape& tape, std::int32_t use, std::int64_t row, const Tensor& index) {
  const SharedUse& shared = tape.shared[static_cast<std::size_t>(use)];
  const std::int64_t n = index.sizes()[0], width = shared.plain.sizes()[1];
  Tensor result;
  {
    const NoGradGuard no_grad;
    write(rows_of(shared.table_index, row, n), index);
    result = gather(shared.plain, 0, index.expand({n, width}));
  }
  auto rule = std::make_unique<RowsGradient>();
  rule->edges.push_back(autograd::edge_to(tape.token.value()));
  rule->tape = &tape;
  rule->use = static_cast<std::size_t>(use);
  rule->row = row;
  put_on_tape(std::move(rule), "gather", result);
  return result;
}

}  // namespace swage::grouping
