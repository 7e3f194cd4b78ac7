#include <swage/autograd/node.hpp>

#include <swage/autograd/macro.hpp>
#include <swage/autograd/rules.hpp>
#include <swage/detail/free_list.hpp>

namespace swage::autograd {

namespace {

constinit thread_local std::uint64_t next_sequence [[gnu::tls_model("initial-exec")]] = 1;
constinit thread_local Node* doomed [[gnu::tls_model("initial-exec")]] = nullptr;  // linked through `result`, no longer needed
constinit thread_local bool emptying [[gnu::tls_model("initial-exec")]] = false;

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

Edge::Edge(const Edge& other) : desc(other.desc), target_(other.target_) {
  if (target_ & kLeaf)
    retain(leaf());
  else if (target_)
    ++node()->refs;
}

void Edge::let_go() noexcept {
  if (target_ & kLeaf)
    release(leaf());
  else
    release_node(node());
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

// The value and its node part. Where others still hold the node and the rule reads the result, the node takes the value over.
void GradMeta::leave_node() noexcept {
  Value* const parted = std::exchange(value, nullptr);
  const NodeRef held = NodeRef::adopt(node);  // the value's reference; this goes with it
  grad = {};
  if (node->result != parted || node->refs == 1) return;
  if (node->saves & kSavesResult && !node->freed) {
    retain(parted);
    parted->flags &= ~static_cast<std::uint32_t>(Value::kRequiresGrad);
    node->owns_result = true;
  } else {
    node->result = nullptr;
  }
}

void GradMeta::value_dies() noexcept {
  if (node)
    leave_node();
  else
    delete this;
}

void GradMeta::only_views_remain() noexcept {
  if (node) {
    value->autograd = nullptr;
    leave_node();
  } else {
    grad = {};
  }
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
  edge.point_at(*operand);
  return edge;
}

void bind(Value& value, Node& node) {
  if (GradMeta* const before = meta_of(&value)) [[unlikely]] {
    node.meta.grad = std::move(before->grad);
    if (Node* const older = before->node) {  // of an older version of the value
      if (older->result == &value) older->result = nullptr;
      before->value = nullptr;
      release_node(older);
    } else {
      delete before;
    }
  }
  node.meta.value = &value;
  node.meta.node = &node;
  value.autograd = &node.meta;
  value.flags |= Value::kRequiresGrad;
}

void attach(Value& value, NodeRef node) {
  Node& made = *node.leak();
  bind(value, made);
  if (value.base) value.tape_writes = value.base->tape_writes;
  made.result = &value;
  made.result_desc = value.desc;
  made.result_version = value.owner()->version;
  made.tag = value.tag;
  note(made);
}

}  // namespace swage::autograd
