#include <swage/autograd/node.hpp>

#include <swage/autograd/rules.hpp>
#include <swage/detail/free_list.hpp>

namespace swage::autograd {

namespace {

thread_local std::uint64_t next_sequence = 1;
thread_local Node* doomed = nullptr;  // linked through `result`, which is no longer needed
thread_local bool emptying = false;

}  // namespace

void* Node::operator new(std::size_t) { return detail::FreeList<Node>::take(); }
void Node::operator delete(void* memory) noexcept { detail::FreeList<Node>::give(memory); }
void* GradMeta::operator new(std::size_t) { return detail::FreeList<GradMeta>::take(); }
void GradMeta::operator delete(void* memory) noexcept { detail::FreeList<GradMeta>::give(memory); }

void release_node(Node* node) noexcept {
  if (--node->refs != 0) return;
  if (node->owns_result) {
    node->owns_result = false;
    release(std::exchange(node->result, nullptr));
  }
  node->result = reinterpret_cast<Value*>(std::exchange(doomed, node));
  if (emptying) return;
  emptying = true;
  while (doomed) {
    Node* next = doomed;
    doomed = reinterpret_cast<Node*>(std::exchange(next->result, nullptr));
    delete next;
  }
  emptying = false;
}

void Node::free_saved() noexcept {
  freed = true;
  for (Edge& edge : edges()) edge = {};
  for (Saved& entry : saved) entry.value = {};
  if (custom) {
    custom->edges.clear();
    custom->free_saved();
  }
  if (owns_result) {
    owns_result = false;
    release(std::exchange(result, nullptr));
  }
  result = nullptr;
}

// The last handle goes. Where others still hold the value's node and the rule reads the result, the node takes the value over.
void GradMeta::drop_node() noexcept {
  if (!node) return;
  if (node->result == value && node->refs > 1) {
    if (node->saves & kSavesResult && !node->freed) {
      retain(value);
      value->flags &= ~static_cast<std::uint32_t>(Value::kRequiresGrad);
      node->owns_result = true;
    } else {
      node->result = nullptr;
    }
  }
  node = {};
}

// The meta itself stays: views still ask it how often the value was written.
void GradMeta::only_views_remain() noexcept {
  drop_node();
  grad = {};
}

GradMeta& ensure_meta(Value& value) {
  if (!value.autograd) value.autograd = new GradMeta(&value);
  return *meta_of(&value);
}

NodeRef new_node() {
  NodeRef node = NodeRef::adopt(new Node);
  node->sequence = next_sequence++;
  return node;
}

Edge edge_to(Value* operand) {
  Edge edge;
  edge.desc = operand->desc;
  if (!(operand->flags & Value::kRequiresGrad)) return edge;
  if (const GradMeta* meta = meta_of(operand); meta && meta->node)
    edge.node = meta->node;
  else
    edge.leaf = ValueRef::share(operand);
  return edge;
}

void attach(Value& value, NodeRef node) {
  GradMeta& meta = ensure_meta(value);
  if (meta.node && meta.node->result == &value) meta.node->result = nullptr;  // an older version of the value
  if (value.base)
    if (const GradMeta* base = meta_of(value.base)) meta.base_writes = base->writes;
  node->result = &value;
  node->result_desc = value.desc;
  node->result_version = value.owner()->version;
  value.flags |= Value::kRequiresGrad;
  meta.node = std::move(node);
}

}  // namespace swage::autograd
