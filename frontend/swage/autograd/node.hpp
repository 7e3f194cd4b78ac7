// The tape. A differentiable op that runs while some operand requires a gradient leaves a `Node`: the op, what its gradient rule
// will read, and edges to the nodes (or leaves) of its operands. The result's `GradMeta` holds the node.
//
// Hazard: who holds whom. A value holds its meta, the meta its node, the node the values its rule reads; operands are older
// than results, so this ends. A rule that reads its own *result* (tanh, exp, relu) would close a circle. So a node names its result
// without counting it, and when the last handle goes, ~GradMeta hands the dying value over to the node (if anybody still needs
// the node), without its meta. `dispose` allows for that: it deletes the meta first and stops if a reference came back.
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
#include <swage/tensor.hpp>

namespace swage::autograd {

struct Node;
void release_node(Node* node) noexcept;

class NodeRef {
 public:
  NodeRef() = default;
  static NodeRef adopt(Node* node) { return NodeRef(node); }
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

 private:
  explicit NodeRef(Node* node) : node_(node) {}
  Node* node_ = nullptr;
};

// One operand of a recorded op. At most one of `node` and `leaf` is set; neither where no gradient is wanted.
struct Edge {
  NodeRef node;
  ValueRef leaf;
  DescId desc = 0;  // of the operand: gradients are summed back to its shape

  bool wanted() const { return node || leaf; }
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
  std::vector<Edge> edges;
  const char* name = "";
};

struct Node {
  std::uint32_t refs = 1;
  Op op = Op::none;  // none: custom
  std::uint8_t n_operands = 0;
  bool freed = false;        // a backward pass has been here and kept nothing
  bool owns_result = false;  // the result's handles are gone
  std::uint8_t saves = 0;    // bit k: operand k; kSavesResult
  AttrId attr = 0;
  DescId result_desc = 0;
  std::uint64_t sequence = 0;  // later ops have larger numbers
  CallSite site;
  ScalarValue scalar{};
  std::int64_t start = 0;
  std::array<CallOperand, 3> operands{};  // scalars only; the values are cleared
  std::array<Edge, 3> edge_of_operand;
  std::array<Saved, 3> saved;
  Value* result = nullptr;  // see above
  std::uint32_t result_version = 0;
  std::unique_ptr<CustomGradient> custom;

  // Of the backward pass that is running.
  Tensor gradient;
  bool queued = false;
  std::int32_t capture = -1;

  std::span<Edge> edges() {
    if (custom) return custom->edges;
    return {edge_of_operand.data(), n_operands};
  }
  const char* name() const { return custom ? custom->name : name_of(op).data(); }
  void free_saved() noexcept;  // drops what rules read and all edges
  ~Node() { free_saved(); }

  static void* operator new(std::size_t bytes);
  static void operator delete(void* memory) noexcept;
};

inline NodeRef::NodeRef(const NodeRef& other) : node_(other.node_) {
  if (node_) ++node_->refs;
}

// What differentiation keeps on a value that requires a gradient.
struct GradMeta final : AutogradMeta {
  explicit GradMeta(Value* owner) : value(owner) {}
  ~GradMeta() override { drop_node(); }
  void only_views_remain() noexcept override;
  void drop_node() noexcept;

  Value* value;
  NodeRef node;                   // null for leaves
  ValueRef grad;                  // leaves: the accumulated gradient
  std::uint32_t writes = 0;       // in-place ops recorded on this value
  std::uint32_t base_writes = 0;  // views: that count on the base when the view was made
  std::int32_t pass_slot = -1;    // leaves: position in the list of the running backward pass
  std::int32_t capture = -1;      // leaves: which input of `grad()` this is

  static void* operator new(std::size_t bytes);
  static void operator delete(void* memory) noexcept;
};

inline GradMeta* meta_of(const Value* value) { return static_cast<GradMeta*>(value->autograd); }
GradMeta& ensure_meta(Value& value);

NodeRef new_node();  // with the next sequence number
// The edge to an operand: to its node, to itself where it is a leaf, empty where it requires no gradient.
Edge edge_to(Value* operand);
// Makes `node` the producer of `value`.
void attach(Value& value, NodeRef node);

}  // namespace swage::autograd
