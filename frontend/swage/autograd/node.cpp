#include <swage/autograd/node.hpp>

#include <swage/autograd/macro.hpp>
#include <swage/autograd/rules.hpp>
#include <swage/detail/free_list.hpp>

namespace swage::autograd {

namespace {

constinit thread_local Node* doomed [[gnu::tls_model("initial-exec")]] = nullptr;  // linked through `result`, no longer needed

constexpr std::size_t kKeptNodes = 16384;

// Frees the nodes that are kept when the thread ends. Made when the first one comes back.
struct NodeCloser {
  bool open = false, closed = false;
  ~NodeCloser() {
    closed = true;
    room_for_nodes = 0;
    while (Node* const node = free_nodes) {
      free_nodes = reinterpret_cast<Node*>(std::exchange(node->result, nullptr));
      delete node;
    }
  }
};

[[gnu::noinline]] void recycle_slowly(Node* node) noexcept;
void recycle(Node* node) noexcept {
  if (room_for_nodes == 0) [[unlikely]]
    return recycle_slowly(node);
  --room_for_nodes;
  node->result = reinterpret_cast<Value*>(std::exchange(free_nodes, node));
}
void recycle_slowly(Node* node) noexcept {
  static thread_local NodeCloser closer;
  if (closer.open || closer.closed) {
    delete node;
    return;
  }
  closer.open = true;
  room_for_nodes = kKeptNodes;
  recycle(node);
}

// Nobody refers to the node any more: it becomes as a new one.
void dismantle(Node& node) noexcept {
  for (std::size_t k = 0; k < node.n_operands; ++k) node.edge_of_operand[k].point_nowhere();
  if (node.saves & ~kSavesResult)
    for (Saved& saved : node.saved) saved.value = {};
  if (node.custom) node.custom.reset();
  if (node.gradient.defined()) node.gradient = {};
  if (node.meta.grad) node.meta.grad = {};
  node.meta.value = nullptr;
  node.meta.node = nullptr;
  node.meta.pass_slot = node.meta.capture = node.capture = -1;
  node.refs = 1;
  node.op = Op::none;
  node.n_operands = node.saves = 0;
  node.freed = node.owns_result = node.queued = false;
  node.attr = 0;
  node.tag = 0;
  node.site = {};
  node.scalars = {};
  node.scalar = {};
  node.start = 0;
  recycle(&node);
}

}  // namespace

constinit thread_local Node* free_nodes = nullptr;
constinit thread_local std::size_t room_for_nodes = 0;
constinit thread_local std::uint64_t next_sequence = 1;
void* GradMeta::operator new(std::size_t) { return detail::FreeList<GradMeta>::take(); }
void GradMeta::operator delete(void* memory) noexcept { detail::FreeList<GradMeta>::give(memory); }

void release_node(Node* node) noexcept {
  if (--node->refs != 0) return;
  const bool at_work = std::exchange(tape_lets_go, true);
  if (node->owns_result) {
    node->owns_result = false;
    release(std::exchange(node->result, nullptr));
  }
  node->result = reinterpret_cast<Value*>(std::exchange(doomed, node));
  if (at_work) return;
  while (doomed) {
    Node* next = doomed;
    doomed = reinterpret_cast<Node*>(std::exchange(next->result, nullptr));
    dismantle(*next);
  }
  tape_lets_go = false;
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
  for (Edge& edge : edges()) edge.point_nowhere();
  if (saves & ~kSavesResult)
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
  Node* const held = node;  // by the value's reference; this goes with it
  if (grad) grad = {};
  if (held->result == parted && held->refs != 1) {
    if (held->saves & kSavesResult && !held->freed) {
      retain(parted);
      parted->flags &= ~static_cast<std::uint32_t>(Value::kRequiresGrad);
      held->owns_result = true;
    } else {
      held->result = nullptr;
    }
  }
  release_node(held);
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
