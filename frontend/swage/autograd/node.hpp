// The tape. A differentiable op that runs while some operand requires a gradient leaves a `Node`: the op, what its gradient rule
// will read, and edges to the nodes (or leaves) of its operands. The result's `GradMeta`, a part of the node, counts as a reference to it.
//
// Hazard: who holds whom. A value holds its node, the node the values its rule reads; operands are older than results, so this ends. A
// rule that reads its own *result* (tanh, exp, relu) would close a circle. So a node names its result without counting it, and when
// the last handle goes, the value is handed over to the node (if anybody still needs the node), without its meta. `dispose` allows
// for that: it lets go of the meta first and stops if a reference came back.
//
// A view holds its base, for the sake of the storage alone. Once nothing but views holds a value, its node goes in the same way, so that
// `h = f(h).detach()` keeps one buffer and not the tape of all steps.
//
// Long tapes are freed without recursion: a node at zero references joins a list that the outermost release empties.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <runtime/core/call_site.hpp>
#include <runtime/core/value.hpp>
#include <runtime/engine/stream.hpp>
#include <runtime/ops/attributes.hpp>
#include <runtime/ops/op.hpp>
#include <swage/detail/pool.hpp>
#include <swage/tensor.hpp>

namespace swage::autograd {

struct Node;
void release_node(Node* node) noexcept;

class NodeRef {
 public:
  NodeRef() = default;
  static NodeRef adopt(Node* node) { return NodeRef(node); }
  static NodeRef share(Node* node);
  NodeRef(const NodeRef& other);
  NodeRef(NodeRef&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  NodeRef& operator=(NodeRef other) noexcept {
    std::swap(node_, other.node_);
    return *this;
  }
  ~NodeRef() {
    if (node_) release_node(node_);
  }
  Node* get() const { return node_; }
  Node* operator->() const { return node_; }
  Node& operator*() const { return *node_; }
  explicit operator bool() const { return node_ != nullptr; }
  Node* leak() { return std::exchange(node_, nullptr); }

 private:
  explicit NodeRef(Node* node) : node_(node) {}
  Node* node_ = nullptr;
};

// One operand of a recorded op: counts the node that made it, or the operand itself where it is a leaf, or nothing where no gradient
// is wanted.
class Edge {
 public:
  Edge() = default;
  Edge(const Edge& other);
  Edge(Edge&& other) noexcept : desc(other.desc), target_(std::exchange(other.target_, 0)) {}
  Edge& operator=(Edge other) noexcept {
    std::swap(target_, other.target_);
    desc = other.desc;
    return *this;
  }
  ~Edge() {
    if (target_) let_go();
  }
  void point_at(Value& operand);  // an edge that points nowhere yet

  void point_nowhere() noexcept {
    if (target_) let_go();
    target_ = 0;
  }

  bool wanted() const { return target_ != 0; }
  bool to_leaf() const { return target_ & kLeaf; }
  // NOLINTBEGIN(performance-no-int-to-ptr): the lowest bit tells the two apart
  Node* node() const { return target_ & kLeaf ? nullptr : reinterpret_cast<Node*>(target_); }
  Value* leaf() const { return target_ & kLeaf ? reinterpret_cast<Value*>(target_ ^ kLeaf) : nullptr; }
  // NOLINTEND(performance-no-int-to-ptr)

  DescId desc = 0;  // of the operand: gradients are summed back to its shape

 private:
  static constexpr std::uintptr_t kLeaf = 1;  // values and nodes are aligned
  void let_go() noexcept;
  std::uintptr_t target_ = 0;
};

struct Saved {
  ValueRef value;
  std::uint32_t version = 0;  // of its storage, when it was saved
};

// The gradient of a composite that is written by hand, where the primitives' rules would do more work.
struct CustomGradient {
  virtual ~CustomGradient() = default;
  virtual Tensor gradient(const Tensor& grad_output, std::size_t operand) = 0;
  virtual void free_saved() noexcept {}  // the tape is no longer needed
  // Whether the ops that it emits follow from the records of the window alone.
  virtual bool repeats() const { return false; }
  detail::PoolVector<Edge> edges;
  const char* name = "";

  static void* operator new(std::size_t bytes) { return detail::Pool::take(bytes); }
  static void operator delete(void* memory, std::size_t bytes) noexcept { detail::Pool::give(memory, bytes); }
};

// The gradient of a table of which only rows were used, for leaves that ask for it (autograd/row_gradients.hpp): row index[i] gets values[i];
// rows that occur more than once add up.
struct RowGradients {
  struct Part {
    Tensor index;   // (n,1) i64
    Tensor values;  // (n,width)
  };
  std::vector<Part> parts;
};

// What differentiation keeps on a value that requires a gradient: part of the node that made it; of itself for leaves.
struct GradMeta final : AutogradMeta {
  GradMeta() = default;
  explicit GradMeta(Value* of_leaf) : value(of_leaf) {}
  void value_dies() noexcept override;
  void only_views_remain() noexcept override;

  Value* value = nullptr;
  Node* node = nullptr;                // that this is a part of; null for leaves
  ValueRef grad;                       // leaves: the accumulated gradient
  std::int32_t pass_slot = -1;         // leaves: position in the list of the running backward pass
  std::int32_t capture = -1;           // leaves: which input of `grad()` this is
  std::unique_ptr<RowGradients> rows;  // leaves that ask for it

  static void* operator new(std::size_t bytes);
  static void operator delete(void* memory) noexcept;

 private:
  void leave_node() noexcept;
};

// A scalar operand: kScalarSlot or kLiteral, and its class.
struct ScalarOperand {
  std::int8_t ref = kNoOperand;
  DType scalar_class = DType::f64;
};

// Free nodes are kept, as new ones: an op that is put on the tape fills in what it has.
struct Node {
  GradMeta meta;
  std::uint32_t refs = 1;
  Op op = Op::none;  // none: custom
  std::uint8_t n_operands = 0;
  std::uint8_t saves = 0;    // bit k: operand k; kSavesResult
  bool freed = false;        // a backward pass has been here and kept nothing
  bool owns_result = false;  // the result's handles are gone
  bool queued = false;       // in the running backward pass
  std::int32_t capture = -1;
  std::int32_t pass_slot = -1;  // transposes of leaves: position in the list of the running backward pass
  AttrId attr = 0;
  DescId result_desc = 0;
  std::uint32_t result_version = 0;
  std::array<ScalarOperand, 3> scalars{};
  Tag tag = 0;                 // of the record that made the result
  std::uint64_t sequence = 0;  // later ops have larger numbers
  CallSite site;
  ScalarValue scalar{};
  std::int64_t start = 0;
  Value* result = nullptr;  // see above
  std::array<Edge, 3> edge_of_operand;
  std::array<Saved, 3> saved;
  std::unique_ptr<CustomGradient> custom;
  Tensor gradient;  // of the running backward pass

  std::span<Edge> edges() {
    if (custom) return custom->edges;
    return {edge_of_operand.data(), n_operands};
  }
  const char* name() const { return custom ? custom->name : name_of(op).data(); }
  void free_saved() noexcept;  // drops what rules read and all edges
};

// Free nodes of this thread, chained through `result`.
extern constinit thread_local Node* free_nodes [[gnu::tls_model("initial-exec")]];
extern constinit thread_local std::size_t room_for_nodes [[gnu::tls_model("initial-exec")]];  // for more of them
extern constinit thread_local std::uint64_t next_sequence [[gnu::tls_model("initial-exec")]];

// With the next sequence number.
inline Node* make_node() {
  Node* node = free_nodes;
  if (node) [[likely]] {
    free_nodes = reinterpret_cast<Node*>(std::exchange(node->result, nullptr));
    ++room_for_nodes;
  } else {
    node = new Node;
  }
  node->sequence = next_sequence++;
  return node;
}

inline NodeRef NodeRef::share(Node* node) {
  if (node) ++node->refs;
  return NodeRef(node);
}
inline NodeRef::NodeRef(const NodeRef& other) : node_(other.node_) {
  if (node_) ++node_->refs;
}

inline GradMeta* meta_of(const Value* value) { return static_cast<GradMeta*>(value->autograd); }
// The node that made a value; null for leaves and what requires no gradient.
inline Node* node_of(const Value* value) { return value->autograd ? meta_of(value)->node : nullptr; }
GradMeta& ensure_meta(Value& value);

inline void Edge::point_at(Value& operand) {
  desc = operand.desc;
  if (!(operand.flags & Value::kRequiresGrad)) return;
  if (Node* const node = node_of(&operand)) {
    ++node->refs;
    target_ = reinterpret_cast<std::uintptr_t>(node);
  } else {
    retain(&operand);
    target_ = reinterpret_cast<std::uintptr_t>(&operand) | kLeaf;
  }
}

inline NodeRef new_node() { return NodeRef::adopt(make_node()); }
// The edge to an operand: to its node, to itself where it is a leaf, empty where it requires no gradient.
Edge edge_to(Value* operand);
// Makes the value refer to `node`, whose count the caller has raised for it.
void bind(Value& value, Node& node);
// Makes `node` the producer of `value`.
void attach(Value& value, NodeRef node);

}  // namespace swage::autograd
