#include <swage/autograd/shared_uses.hpp>

#include <algorithm>
#include <ranges>
#include <vector>

#include <swage/detail/call.hpp>
#include <swage/index.hpp>
#include <swage/products.hpp>

namespace swage::autograd {
// Rows that lie behind each other in one storage are joined already: steps of a sequence, for one. Undefined where they do not.
Tensor JoinedRows::view_of_all(const List& parts) {
  if (parts.size() < 2) return {};
  Value* const owner = parts[0].value()->owner();
  if (!owner->view().contiguous()) return {};
  const std::int64_t from = parts[0].value()->offset;
  std::int64_t end = from;
  for (const Tensor& part : parts) {
    const Value& value = *part.value();
    if (value.owner() != owner || value.offset != end || part.dim() != 2 || !part.is_contiguous()) return {};
    end += part.numel();
  }
  const Tensor all = Tensor(ValueRef::share(owner)).reshape({-1}).narrow(0, from, end - from);
  spans_.push_back({all, parts});
  return all.reshape({-1, parts[0].size(1)});
}

Tensor JoinedRows::join(const List& rows, bool by_columns) {
  const auto same = [&](const Entry& entry) {
    return entry.by_columns == by_columns && std::ranges::equal(entry.of, rows, {}, {}, [](const Tensor& part) {
             return static_cast<const Value*>(part.value());
           });
  };
  if (const auto found = std::ranges::find_if(entries_, same); found != entries_.end()) return found->joined;
  List parts;
  parts.reserve(rows.size());
  for (const Tensor& part : std::views::reverse(rows)) parts.push_back(by_columns ? part.t() : part);
  Entry entry{{}, by_columns, by_columns ? Tensor() : view_of_all(parts)};
  if (!entry.joined.defined()) entry.joined = parts.size() == 1 ? parts[0] : cat({parts.begin(), parts.end()}, 0);
  for (const Tensor& part : rows) entry.of.push_back(part.value());
  entries_.push_back(std::move(entry));
  return entries_.back().joined;
}

void SharedUses::add_product(Tensor left, Tensor right, bool by_columns) {
  left_[by_columns].push_back(std::move(left));
  right_[by_columns].push_back(std::move(right));
}

void SharedUses::add_rows(Tensor rows) { rows_.push_back(std::move(rows)); }

void SharedUses::add_transposed(SharedUses&& uses) {
  for (const bool by_columns : {false, true})
    for (std::size_t i = 0; i < uses.left_[by_columns].size(); ++i)
      add_product(std::move(uses.right_[by_columns][i]), std::move(uses.left_[by_columns][i]), by_columns);
}

Tensor SharedUses::sum(const Dims& sizes, JoinedRows& joined) {
  Tensor total;
  const auto include = [&](Tensor part) {
    total = total.defined() ? detail::binary({}, Op::add, total, part) : std::move(part);
  };
  if (!left_[0].empty()) include(matmul(joined.join(left_[0], false).t(), joined.join(right_[0], false)));
  if (left_[1].size() == 1)
    include(matmul(left_[1][0], right_[1][0].t()));
  else if (!left_[1].empty())
    include(matmul(joined.join(left_[1], true).t(), joined.join(right_[1], true)));
  if (!rows_.empty()) include(sum_to(joined.join(rows_, false), sizes));
  return total;
}

namespace {

constexpr std::int64_t kMostElements = 4096;  // of a bias' rows: beyond, copying them costs more than a sum of their own

bool transposes_matrix(const Node& node) {
  if (node.op != Op::permute) return false;
  const auto& order = attribute_of(node.attr).ints;
  return order.size() == 2 && order[0] == 1;
}

bool has_part(const Value& leaf) { return leaf.autograd && meta_of(&leaf)->pass_slot >= 0; }

// Whether an edge leads, be it by transposes, to a leaf that a part of its gradient has come to, or is on its way to.
bool leads_to_used_leaf(const Edge& edge) {
  bool used = false;
  const Edge* at = &edge;
  while (const Node* const node = at->node()) {
    if (node->freed || node->capture >= 0 || !transposes_matrix(*node)) return false;
    used |= node->pass_slot >= 0 || node->gradient.defined();
    at = node->edge_of_operand.data();
  }
  return at->to_leaf() && (used || has_part(*at->leaf()));
}

// Copying the rows costs less than what a product of their own writes and adds: k rows of m and of n numbers.
bool joining_pays(std::int64_t k, std::int64_t m, std::int64_t n) { return k * (m + n) <= 2 * m * n; }

}  // namespace

bool product_waits(const Node& node, std::size_t operand) {
  if (node.op != Op::matmul) return false;
  const Dims &a = desc_of(node.edge_of_operand[0].desc).dims, &b = desc_of(node.edge_of_operand[1].desc).dims;
  if (a.rank() != 2 || b.rank() != 2 || !leads_to_used_leaf(node.edge_of_operand[operand])) return false;
  return operand == 0 ? joining_pays(b[1], a[0], a[1]) : joining_pays(a[0], b[0], b[1]);
}

void add_product(const RuleContext& context, std::size_t operand, SharedUses& uses) {
  if (operand == 0)
    uses.add_product(context.grad(), context.tensor(1), true);
  else
    uses.add_product(context.tensor(0), context.grad(), false);
}

bool rows_wait(const Edge& edge, const Tensor& part) {
  const Dims& sizes = desc_of(edge.desc).dims;
  return edge.to_leaf() && has_part(*edge.leaf()) && sizes.rank() == 1 && part.dim() == 2 && part.sizes()[1] == sizes[0] &&
         part.numel() <= kMostElements;
}

}  // namespace swage::autograd
