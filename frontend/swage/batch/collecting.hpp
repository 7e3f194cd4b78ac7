// Collects ops while a batch scope is open, in place of running them. `detail::call` and the composites of the frontend ask for the
// scope of their thread and hand their op over.
//
// An op on values from outside alone that moves no data (a view) or draws random numbers runs at once. A write in place gives the handle
// a new value of the graph; a write to a tensor from outside has everything run that was collected before it. So does a read.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <runtime/engine/collector.hpp>
#include <swage/batch/graph.hpp>
#include <swage/detail/pool.hpp>

namespace swage::grouping {

// A cell whose body is being recorded.
struct Body {
  std::string_view name;
  std::uint64_t epoch = 0;  // of its values' tags
  ProgramBuilder builder;
  std::vector<OperandRef> refs;      // of its values, by tag
  std::vector<bool> viewed;          // likewise: a view, or has one
  std::vector<OutId> captured;       // what became its further inputs, of the graph around it
  std::vector<OperandRef> captures;  // those inputs
  bool pure = false;                 // whatever it captures is the same at every call
  bool repeats = true;               // the body may be skipped where it is called again
};

class Collecting final : public Collector {
 public:
  Collecting();
  ~Collecting();
  Collecting(const Collecting&) = delete;
  Collecting& operator=(const Collecting&) = delete;

  // An op that would be emitted. Gives its result.
  Tensor call(const OpCall& call);
  Tensor call_in_place(const OpCall& call);
  // `result`: row-major, of one instance.
  Tensor composite(Composite which, AttrId attr, std::span<const Tensor> operands, DescId result, CallSite site);

  // An instance of a cell. `program` may be of an earlier graph: `shared` are then the values that it shares.
  detail::PoolVector<Tensor> add_cell(CellProgram& program, std::span<const Tensor> shared, std::span<const OutId> inputs);
  OutId operand_of(const Tensor& tensor);  // as an input
  const Out& out(OutId id) const { return graph_.outs[static_cast<std::size_t>(id)]; }

  // The body of a cell: what is called from now on belongs to it. Gives a tensor for each input.
  detail::PoolVector<Tensor> begin_body(std::string_view name, bool pure, std::span<const OutId> inputs);
  struct Finished {
    std::shared_ptr<CellProgram> program;
    std::vector<Tensor> shared;
    std::vector<OutId> captured;  // inputs behind those that were given
    bool repeats = true;
  };
  Finished end_body(std::span<const Tensor> results);
  void abandon_body() { body_.reset(); }
  bool in_body() const { return body_ != nullptr; }
  void does_not_repeat() {  // the body that is open does another thing the next time
    if (body_) body_->repeats = false;
  }

  void settle(CallSite site) override;
  // Nothing of the graph can be had any more: its values are poisoned.
  void abandon();

 private:
  Tensor run_at_once(const OpCall& call);
  Tensor call_in_graph(const OpCall& call);
  Tensor call_in_body(const OpCall& call);
  OperandRef body_operand(const Tensor& tensor, Op op, int k);  // operand k of op
  bool is_of_body(const Value& value) const { return body_ && epoch_of(value.write_tag) == body_->epoch; }
  Tensor copied(const Tensor& outside, CallSite site);
  Tensor new_out(DescId desc, bool grad, std::int32_t instance);
  Tensor new_local(OperandRef ref, DescId desc, bool grad);
  Tensor add_single(ProgramBuilder& builder, std::string name, std::span<const OutId> inputs, bool variadic);
  void bind(CellProgram& program, std::span<const Tensor> shared);
  std::int32_t depth_of(std::span<const OutId> inputs) const;

  Graph graph_;
  std::unordered_map<const Value*, OutId> outside_;
  std::unique_ptr<Body> body_;
};

// The scope of the calling thread; null where there is none.
inline Collecting* collecting() { return static_cast<Collecting*>(collector); }

// While one lives, ops run as if no scope were open; what was collected before has run.
class Pause {
 public:
  Pause();
  ~Pause();
  Pause(const Pause&) = delete;
  Pause& operator=(const Pause&) = delete;

 private:
  Collector* paused_;
};

}  // namespace swage::grouping
