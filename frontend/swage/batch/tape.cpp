// Backward through a graph: see run.hpp.
#include <cstring>

#include <runtime/core/error.hpp>
#include <swage/autograd/grad_mode.hpp>
#include <swage/autograd/row_gradients.hpp>
#include <swage/batch/replay.hpp>
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
    raise<AutogradError>(
        SiteScope::or_else({}),
        "[backward] create_graph cannot go through a batch scope: differentiate twice outside of swage::batch");
}

Tensor first_rows(const Tensor& matrix, std::int64_t n) { return detail::narrow({}, matrix, 0, 0, n); }

void clear(const Tensor& matrix, std::int64_t first, std::int64_t rows) {
  std::memset(row_address(matrix, first), 0, static_cast<std::size_t>(rows * matrix.sizes()[1]) * size_of(matrix.dtype()));
}
Tensor cleared(std::int64_t rows, std::int64_t width, DType dtype) {
  Tensor matrix = uninitialised(rows, width, dtype);
  clear(matrix, 0, rows);
  return matrix;
}

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
    return detail::reshape({}, detail::narrow({}, pool.grad, 0, outside.row, 1), outside.tensor.sizes());
  }
  void free_saved() noexcept override { tape->free(); }
};

struct ResultGradient final : autograd::CustomGradient {
  std::shared_ptr<Tape> tape;
  std::int32_t pool = 0, group = 0;
  std::int64_t row = 0;
  Tensor gradient(const Tensor& grad, std::size_t) override {
    refuse_second_order();
    if (tape->pools.empty())
      raise<AutogradError>(
          SiteScope::or_else({}),
          "[backward] the tape of a batch scope was freed by an earlier backward; pass retain_graph = true there, or "
          "add up what is to be differentiated");
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
    if (schedule->pools[k].grad) {
      pools[k].grad = uninitialised(pools[k].rows, pools[k].width, pools[k].data.dtype());
      clear(pools[k].grad, 0, schedule->pools[k].rows);
    }
  for (SharedUse& use : shared) {
    use.gradient = {};
    if (use.broadcast) use.sum = detail::reshape({}, cleared(use.outer.numel(), 1, use.outer.dtype()), use.outer.sizes());
  }
}

void Tape::add_gradient(std::int32_t pool, std::int64_t row, const Tensor& gradient, std::int32_t group) {
  const Pool& to = pools[static_cast<std::size_t>(pool)];
  reached[static_cast<std::size_t>(group)] = true;
  detail::call_in_place({}, Op::add, {detail::narrow({}, to.grad, 0, row, 1), detail::reshape({}, gradient, {1, to.width})});
}

void Tape::run_backward() {
  running = false;
  for (const SharedUse& use : shared)
    if (use.product_rows && use.outer.value()->owner()->version != use.version)
      raise<AutogradError>(
          SiteScope::or_else({}),
          "[backward] a matrix of shape {} that a batch scope multiplied by was changed in place afterwards, and the "
          "gradient needs it; change it after backward",
          to_string(use.outer.sizes()));
  Stream& stream = detail::stream();
  stream.cut(CutReason::scope, {});
  for (std::size_t g = groups.size(); g-- > 0;) {
    clear_uses(groups[g], !reached[g]);
    if (!reached[g] || !groups[g].grad) continue;
    for (const std::int32_t producer : groups[g].producers) reached[static_cast<std::size_t>(producer)] = true;
    run_group_backward(*this, groups[g]);
  }
  for (SharedUse& use : shared) use.gradient = gradient_of(use);
  stream.cut(CutReason::scope, {});
}

// Where no gradient comes: nothing of an earlier pass, or of whose the memory was, is to be added up.
void Tape::clear_uses(const GroupRun& run, bool all) const {
  if (!run.grad) return;
  for (std::size_t i = 0; i < run.ready->sites.size(); ++i) {
    const Prepared::Site& site = run.ready->sites[i];
    if (site.use < 0 || (site.live && !all)) continue;
    const SharedUse& use = shared[static_cast<std::size_t>(site.use)];
    clear(site.table ? use.table_grads : use.product_grads, run.site_first[i], site.rows * group_of(run).count);
  }
}

Tensor Tape::gradient_of(const SharedUse& use) {
  Tensor total;
  const auto include = [&](const Tensor& part) { total = total.defined() ? detail::binary({}, Op::add, total, part) : part; };
  if (use.product_rows)
    include(matmul(first_rows(use.product_inputs, use.product_rows).t(), first_rows(use.product_grads, use.product_rows)));
  const Tensor index_rows = use.table_rows ? first_rows(use.table_index, use.table_rows) : Tensor();
  if (use.table_rows && autograd::keeps_rows(use.outer)) {
    autograd::add_rows(use.outer, index_rows, first_rows(use.table_grads, use.table_rows));
  } else if (use.table_rows) {
    const std::int64_t width = use.outer.sizes()[1];
    const Tensor dense = cleared(use.outer.sizes()[0], width, use.outer.dtype());
    detail::scatter_add_in_place({}, dense, 0, index_rows.expand({use.table_rows, width}),
                                 first_rows(use.table_grads, use.table_rows));
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
  prepared.clear();
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
                   std::int32_t group) {
  auto rule = std::make_unique<ResultGradient>();
  rule->edges.push_back(autograd::edge_to(root.value()));
  rule->tape = tape;
  rule->pool = pool;
  rule->row = row;
  rule->group = group;
  put_on_tape(std::move(rule), "batch", result);
}

}  // namespace swage::grouping
