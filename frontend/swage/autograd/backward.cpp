// Nodes run in order of decreasing sequence number: an op runs after everything that used its result, because all of that
// was called later. The order of emission is a function of the program alone.
#include <swage/autograd/backward.hpp>

#include <algorithm>
#include <functional>
#include <span>
#include <unordered_map>

#include <runtime/engine/sole_holder.hpp>
#include <swage/autograd/grad_mode.hpp>
#include <swage/autograd/macro.hpp>
#include <swage/autograd/node.hpp>
#include <swage/autograd/pass.hpp>
#include <swage/autograd/rules.hpp>
#include <swage/autograd/shared_uses.hpp>
#include <swage/batch/collecting.hpp>
#include <swage/detail/call.hpp>

namespace swage {

namespace autograd {
namespace {

using Seeds = Gradients;  // that a pass starts from, one an output

bool younger(const NodeRef& a, const NodeRef& b) { return a->sequence < b->sequence; }

class Pass {
 public:
  // `macro`: told what the pass does; or null.
  Pass(bool retain, bool create, bool capturing, Macro* macro = nullptr)
      : retain_(retain), create_(create), capturing_(capturing), macro_(macro) {}
  ~Pass() {  // also when an error leaves the pass half done
    for (const NodeRef& node : queue_) forget(*node);
    for (const NodeRef& node : captured_nodes_) node->capture = -1;
    for (const Transposed& transposed : transposed_) transposed.node->pass_slot = -1;
    for (const LeafGradient& leaf : leaves_) meta_of(leaf.leaf.get())->pass_slot = -1;
    for (const ValueRef& leaf : captured_leaves_) meta_of(leaf.get())->capture = -1;
  }
  Pass(const Pass&) = delete;
  Pass& operator=(const Pass&) = delete;

  // Asks for the gradient of `input`. An input that occurs twice is captured once: the index of its capture is returned.
  int capture(const Tensor& input) {
    const Edge edge = edge_to(input.value());
    int& slot = edge.node() ? edge.node()->capture : ensure_meta(*input.value()).capture;
    if (slot >= 0) return slot;
    slot = static_cast<int>(captured_.size());
    captured_.emplace_back();
    if (edge.node())
      captured_nodes_.push_back(NodeRef::share(edge.node()));
    else
      captured_leaves_.push_back(input.ref());
    return slot;
  }
  const Tensor& captured(int slot) const { return captured_[static_cast<std::size_t>(slot)]; }

  void run(std::span<const Tensor> outputs, Seeds seeds) {
    if (capturing_) find_needed(outputs);
    detail::PoolVector<Edge> from;
    for (const Tensor& output : outputs) from.push_back(edge_to(output.value()));
    run(std::span<const Edge>(from), std::move(seeds));
  }
  void run(std::span<const Edge> from, Seeds seeds) {
    GradModeGuard mode(create_);
    for (std::size_t i = 0; i < from.size(); ++i) send(from[i], std::move(seeds[i]));
    while (!queue_.empty()) {
      std::pop_heap(queue_.begin(), queue_.end(), younger);
      const NodeRef node = std::move(queue_.back());
      queue_.pop_back();
      visit_node(*node);
    }
    if (macro_) macro_->visits_end();
    for (LeafGradient& leaf : leaves_) sum_up(leaf);
    if (macro_)
      for (const JoinedRows::Span& span : joined_.spans()) macro_->spans(*span.view.value(), span.parts);
    for (LeafGradient& leaf : leaves_) deposit(leaf);
  }

 private:
  struct LeafGradient {
    ValueRef leaf;
    Tensor gradient;  // the sum of what did not wait
    SharedUses uses;
  };
  struct Transposed {
    NodeRef node;
    SharedUses uses;
  };

  static void forget(Node& node) {
    node.queued = false;
    node.gradient = {};
  }

  void visit_node(Node& node) {
    node.queued = false;
    if (node.freed)
      raise<AutogradError>(SiteScope::or_else({}),
                           "[backward] the tape of [{}], called at {}, was freed by an earlier backward; pass retain_graph = "
                           "true there, or compute the result again",
                           node.name(), describe(node.site));
    if (macro_) macro_->visits(node);
    {
      const Tensor gradient = std::exchange(node.gradient, {});
      if (node.capture >= 0) captured_[static_cast<std::size_t>(node.capture)] = gradient;
      const RuleContext context(node, gradient);
      const std::span<Edge> edges = node.edges();
      for (std::size_t k = 0; k < edges.size(); ++k) {
        const Edge& edge = edges[k];
        if (!edge.wanted() || (capturing_ && !needed(edge))) continue;
        if (node.pass_slot >= 0)
          uses_of(edge).add_transposed(std::move(transposed_[static_cast<std::size_t>(node.pass_slot)].uses));
        if (!gradient.defined()) continue;
        if (!create_ && product_waits(node, k)) {
          add_product(context, k, uses_of(edge));
          continue;
        }
        Tensor part =
            node.custom ? node.custom->gradient(gradient, k) : rule_of(node.op).gradient(context, static_cast<int>(k));
        if (!part.defined()) continue;
        if (part.value()->desc == edge.desc)
          send(edge, std::move(part));
        else if (!create_ && rows_wait(edge, part))
          uses_of(edge).add_rows(std::move(part));
        else
          send(edge, sum_to(part, desc_of(edge.desc).dims));
      }
    }
    if (!retain_) node.free_saved();
  }

  void enqueue(Node& node) {
    if (node.queued) return;
    node.queued = true;
    queue_.push_back(NodeRef::share(&node));
    std::push_heap(queue_.begin(), queue_.end(), younger);
  }

  void send(const Edge& edge, Tensor gradient) {
    if (!edge.wanted()) return;
    Tensor& sum = edge.node() ? edge.node()->gradient : leaf_of(edge).gradient;
    sum = sum.defined() ? detail::binary({}, Op::add, sum, gradient) : std::move(gradient);
    if (edge.node()) enqueue(*edge.node());
  }

  LeafGradient& leaf_of(const Edge& edge) {
    if (edge.leaf()->desc != edge.desc)
      raise<AutogradError>(
          SiteScope::or_else({}),
          "[backward] a leaf of shape {} was given shape {} after the forward pass that used it; change shapes "
          "before forward or after backward",
          to_string(desc_of(edge.desc).dims), to_string(edge.leaf()->view().dims));
    GradMeta& meta = ensure_meta(*edge.leaf());
    if (meta.pass_slot < 0) {
      meta.pass_slot = static_cast<std::int32_t>(leaves_.size());
      leaves_.push_back({ValueRef::share(edge.leaf()), {}, {}});
    }
    return leaves_[static_cast<std::size_t>(meta.pass_slot)];
  }

  // What waits for the leaf that the edge leads to, be it by transposes.
  SharedUses& uses_of(const Edge& edge) {
    Node* const node = edge.node();
    if (!node) return leaf_of(edge).uses;
    enqueue(*node);
    if (node->pass_slot < 0) {
      node->pass_slot = static_cast<std::int32_t>(transposed_.size());
      transposed_.push_back({NodeRef::share(node), {}});
    }
    return transposed_[static_cast<std::size_t>(node->pass_slot)].uses;
  }

  void sum_up(LeafGradient& leaf) {
    if (leaf.uses.empty()) return;
    const Tensor waited = leaf.uses.sum(leaf.leaf->view().dims, joined_);
    leaf.gradient = leaf.gradient.defined() ? detail::binary({}, Op::add, leaf.gradient, waited) : waited;
  }

  // Whether nobody else sees this memory, so that it can become a gradient that the user may write.
  static bool unshared(const Value& value) {
    return is_held_once(value) && (!value.base || is_held_once(*value.base)) && !value.runs_at_once() &&
           !value.view().overlaps_itself();
  }

  void deposit(LeafGradient& leaf) {
    GradMeta& meta = *meta_of(leaf.leaf.get());
    Tensor gradient = std::move(leaf.gradient);
    if (capturing_) {
      if (meta.capture >= 0) captured_[static_cast<std::size_t>(meta.capture)] = std::move(gradient);
      return;
    }
    if (macro_ && meta.grad) macro_->does_not_repeat();
    if (!meta.grad) {
      if (macro_) macro_->deposits(*leaf.leaf);
      if (!create_ && !unshared(*gradient.value())) gradient = detail::call({}, Op::copy, {gradient});
      meta.grad = gradient.take();
      return;
    }
    const Tensor before(meta.grad);
    if (create_ || before.requires_grad() || before.value()->base)
      meta.grad = detail::binary({}, Op::add, before, gradient).take();
    else
      detail::call_in_place({}, Op::add, {before, gradient});
  }

  // Which nodes lie between the outputs and a captured input: the others need not run.
  void find_needed(std::span<const Tensor> outputs) {
    detail::PoolVector<Node*> stack;
    for (const Tensor& output : outputs)
      if (Node* node = node_of(output.value())) stack.push_back(node);
    while (!stack.empty()) {
      Node* node = stack.back();
      const auto [entry, first_visit] = needed_.try_emplace(node, node->capture >= 0);
      if (first_visit) {
        for (const Edge& edge : node->edges())
          if (edge.node() && !needed_.contains(edge.node())) stack.push_back(edge.node());
        continue;
      }
      stack.pop_back();
      if (entry->second) continue;
      for (const Edge& edge : node->edges())
        if (needed(edge)) needed_[node] = true;
    }
  }
  bool needed(const Edge& edge) const {
    if (edge.leaf()) return edge.leaf()->autograd && meta_of(edge.leaf())->capture >= 0;
    if (!edge.node()) return false;
    const auto found = needed_.find(edge.node());
    return found != needed_.end() && found->second;
  }

  bool retain_, create_, capturing_;
  Macro* macro_;
  detail::PoolVector<NodeRef> queue_;        // a heap, latest op first
  detail::PoolVector<LeafGradient> leaves_;  // in order of arrival
  detail::PoolVector<Transposed> transposed_;
  JoinedRows joined_;
  detail::PoolVector<Tensor> captured_;
  detail::PoolVector<NodeRef> captured_nodes_;
  detail::PoolVector<ValueRef> captured_leaves_;
  std::unordered_map<Node*, bool, std::hash<Node*>, std::equal_to<>, detail::PoolAllocator<std::pair<Node* const, bool>>>
      needed_;
};

Seeds checked_seeds(const char* op, std::span<const Tensor> outputs, std::span<const Tensor> gradients) {
  const CallSite site = SiteScope::or_else({});
  if (!gradients.empty() && gradients.size() != outputs.size())
    raise<ValueError>(site, "[{}] {} outputs need as many gradients, not {}", op, outputs.size(), gradients.size());
  Seeds seeds;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Tensor& output = outputs[i];
    detail::require_defined(site, op, output, "an output");
    if (!output.requires_grad())
      raise<AutogradError>(site,
                           "[{}] this tensor does not require a gradient: none of its inputs does, or it was computed under "
                           "no_grad, detached, or by an op without a gradient",
                           op);
    const Tensor given = gradients.empty() ? Tensor() : gradients[i];
    if (!given.defined()) {
      if (output.numel() != 1)
        raise<ShapeError>(site,
                          "[{}] a tensor of shape {} needs a gradient of that shape; only a single element may do without", op,
                          to_string(output.sizes()));
      seeds.push_back(detail::full(site, output.sizes(), Scalar::literal(1.0), output.dtype()));
      continue;
    }
    if (!(given.sizes() == output.sizes()))
      raise<ShapeError>(site, "[{}] the gradient has shape {}, but {} was expected, the shape of the tensor", op,
                        to_string(given.sizes()), to_string(output.sizes()));
    if (given.dtype() != output.dtype())
      raise<DTypeError>(site, "[{}] the gradient is {}, but {} was expected, the type of the tensor", op,
                        name_of(given.dtype()), name_of(output.dtype()));
    seeds.push_back(given);
  }
  return seeds;
}

void run_backward(std::span<const Tensor> outputs, std::span<const Tensor> gradients, bool retain_graph, bool create_graph) {
  const grouping::Pause pause;  // in a batch scope, what was collected runs first
  const bool one = outputs.size() == 1 && outputs[0].defined() && gradients.size() <= 1 && !create_graph;
  if (!one) {
    forget_log();
    Seeds seeds = checked_seeds("backward", outputs, gradients);
    Pass(retain_graph || create_graph, create_graph, false).run(outputs, std::move(seeds));
    return;
  }
  Value* const seed = gradients.empty() ? nullptr : gradients[0].value();
  Macro macro(*outputs[0].value(), seed, retain_graph);
  if (macro.replay(SiteScope::or_else({}))) return;
  {
    Seeds seeds = checked_seeds("backward", outputs, gradients);
    Pass(retain_graph, false, false, &macro).run(outputs, std::move(seeds));
  }
  macro.finish();
}

}  // namespace

void send_back(std::span<const Edge> from, Gradients gradients) {
  forget_log();
  Pass(true, false, false).run(from, std::move(gradients));
}

}  // namespace autograd

void backward(const std::vector<Tensor>& outputs, const std::vector<Tensor>& grad_outputs, bool retain_graph,
              bool create_graph) {
  const SiteScope scope(caller());
  autograd::run_backward(outputs, grad_outputs, retain_graph, create_graph);
}

void Tensor::backward(const Tensor& gradient, bool retain_graph) const {
  const SiteScope scope(caller());
  const std::span<const Tensor> given(&gradient, gradient.defined() ? 1 : 0);
  autograd::run_backward({this, 1}, given, retain_graph, false);
}

std::vector<Tensor> grad(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                         const std::vector<Tensor>& grad_outputs, bool retain_graph, bool create_graph) {
  const SiteScope scope(caller());
  const grouping::Pause pause;
  autograd::forget_log();
  autograd::Seeds seeds = autograd::checked_seeds("grad", outputs, grad_outputs);
  autograd::Pass pass(retain_graph || create_graph, create_graph, true);
  detail::PoolVector<int> slots;
  for (const Tensor& input : inputs) {
    detail::require_defined({}, "grad", input, "an input");
    if (!input.requires_grad())
      raise<AutogradError>(SiteScope::or_else({}), "[grad] an input does not require a gradient; call requires_grad_() first");
    slots.push_back(pass.capture(input));
  }
  pass.run(outputs, std::move(seeds));
  std::vector<Tensor> gradients;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& found = pass.captured(slots[i]);
    gradients.push_back(found.defined() ? found : detail::full({}, inputs[i].sizes(), Scalar::literal(0.0), inputs[i].dtype()));
  }
  return gradients;
}

}  // namespace swage
