#include <swage/batch/rules.hpp>

#include <algorithm>
#include <array>

#include <swage/creation.hpp>
#include <swage/detail/call.hpp>
#include <swage/detail/composite.hpp>
#include <swage/functional.hpp>
#include <swage/index.hpp>
#include <swage/products.hpp>
#include <swage/reduce.hpp>

namespace swage::grouping {
namespace {

Dims shifted(std::span<const std::int64_t> dims) {
  Dims all;
  for (const std::int64_t d : dims) all.push_back(d + 1);
  return all;
}

int rank_of(const Lane& lane) { return lane.sizes().rank() - (lane.rows ? 1 : 0); }  // of one instance

// With extents of 1 behind the rows, so that an instance has `rank` dimensions and broadcasts as it would alone.
Tensor aligned(const Lane& lane, int rank) {
  const int missing = rank - rank_of(lane);
  if (!lane.rows || missing <= 0) return lane.get();
  const Dims own = lane.sizes();
  Dims sizes = {own[0]};
  for (int d = 0; d < missing; ++d) sizes.push_back(1);
  for (int d = 1; d < own.rank(); ++d) sizes.push_back(own[d]);
  return lane.as(sizes);
}
// With rows, whatever it had.
Tensor spread(const Lane& lane, std::int64_t n) {
  return lane.rows ? lane.get() : lane.get().unsqueeze(0).expand(with_rows(n, lane.sizes()));
}
// Rows and the first dimension of an instance as one.
Tensor merged(const Lane& lane) {
  const Dims own = lane.sizes();
  Dims sizes = {own[0] * own[1]};
  for (int d = 2; d < own.rank(); ++d) sizes.push_back(own[d]);
  return lane.as(sizes);
}

class Application {
 public:
  Application(const CellProgram& program, const BodyOp& op, std::span<const Lane> lanes, std::int64_t n)
      : program_(program), op_(op), lanes_(lanes), n_(n), attribute_(attribute_of(op.attr)) {}

  Tensor run() const {
    if (op_.composite != Composite::none) return composite();
    switch (kind_of(op_.op)) {
      case OpKind::pointwise: return pointwise();
      case OpKind::reduction: {
        const auto dims = std::span(attribute_.ints).subspan(1);
        return detail::reduce(op_.site, op_.op, lanes_[0].get(), shifted(dims), attribute_.ints[0] != 0);
      }
      case OpKind::contraction: return op_.op == Op::matmul ? product() : convolution();
      case OpKind::view: return view();
      case OpKind::index: return op_.op == Op::gather ? gathered() : scattered();
      default: fail(__FILE__, __LINE__, "{} has no rule for rows", name_of(op_.op));
    }
  }

 private:
  Dims sizes() const { return with_rows(n_, desc_of(op_.result).dims); }

  detail::Operand operand(std::size_t k, std::span<const Tensor> tensors) const {
    const OperandRef ref = program_.operands_of(op_)[k];
    if (ref.kind == OperandRef::slot) return Scalar::restored(op_.scalar_class, op_.scalar, false);
    if (ref.kind == OperandRef::literal)
      return op_.scalar_class == DType::f64 ? Scalar::literal(attribute_.real)
                                            : Scalar::literal(static_cast<std::int64_t>(attribute_.real));
    return tensors[k];
  }

  Tensor pointwise() const {
    int rank = 0;
    for (const Lane& lane : lanes_)
      if (lane.tensor.defined()) rank = std::max(rank, rank_of(lane));
    std::array<Tensor, 3> tensors;
    for (std::size_t k = 0; k < lanes_.size(); ++k)
      if (lanes_[k].tensor.defined()) tensors[k] = aligned(lanes_[k], rank);
    const detail::Attr attr{.ints = {}, .dtype = attribute_.dtype};
    const detail::Attr* const given = op_.op == Op::cast ? &attr : nullptr;
    switch (lanes_.size()) {
      case 1: return detail::call(op_.site, op_.op, {operand(0, tensors)}, given);
      case 2: return detail::call(op_.site, op_.op, {operand(0, tensors), operand(1, tensors)}, given);
      default: return detail::call(op_.site, op_.op, {operand(0, tensors), operand(1, tensors), operand(2, tensors)}, given);
    }
  }

  Tensor product() const {
    const SiteScope scope(op_.site);  // one matrix for all rows is one product
    return matmul(lanes_[0].get(), lanes_[1].get());
  }

  // Images of all instances are one batch of images; what has weights of its own goes one by one.
  Tensor convolution() const {
    const SiteScope scope(op_.site);
    const detail::Attr attr{.ints = ints(), .dtype = attribute_.dtype};
    if (op_.op == Op::conv2d && lanes_[0].rows && !lanes_[1].rows)
      return detail::reshape(op_.site, detail::call(op_.site, op_.op, {merged(lanes_[0]), lanes_[1].get()}, &attr), sizes());
    std::vector<Tensor> results;
    for (std::int64_t i = 0; i < n_; ++i) {
      const auto one = [&](std::size_t k) { return lanes_[k].rows ? lanes_[k].get().select(0, i) : lanes_[k].get(); };
      results.push_back(detail::call(op_.site, op_.op, {one(0), one(1)}, &attr).unsqueeze(0));
    }
    return cat(results, 0);
  }

  detail::Ints ints() const {
    detail::Ints all;
    all.append(attribute_.ints);
    return all;
  }

  Tensor view() const {
    if (op_.op == Op::expand) return aligned(lanes_[0], desc_of(op_.result).rank()).expand(sizes());
    const Tensor x = lanes_[0].get();
    const SiteScope scope(op_.site);
    switch (op_.op) {
      case Op::alias: return x.detach();
      case Op::permute: {
        Dims order = {0};
        for (const std::int64_t d : attribute_.ints) order.push_back(d + 1);
        return detail::permute(op_.site, x, order);
      }
      case Op::narrow:
        return detail::narrow(op_.site, x, static_cast<int>(attribute_.ints[0]) + 1, op_.start, attribute_.ints[1]);
      default: fail(__FILE__, __LINE__, "{} is no view", name_of(op_.op));
    }
  }

  // Rows of one table: all instances' indices are one list. Else every instance has a slice of its own.
  Tensor gathered() const {
    const Lane &from = lanes_[0], &index = lanes_[1];
    const SiteScope scope(op_.site);
    const auto d = static_cast<int>(attribute_.ints[0]);
    if (!from.rows && d == 0) return detail::reshape(op_.site, gather(from.get(), 0, merged(index)), sizes());
    return gather(spread(from, n_), d + 1, spread(index, n_));
  }
  Tensor scattered() const {
    const SiteScope scope(op_.site);
    const auto d = static_cast<int>(attribute_.ints[0]);
    return scatter_add(spread(lanes_[0], n_), d + 1, spread(lanes_[1], n_), spread(lanes_[2], n_));
  }

  Tensor composite() const {
    const SiteScope scope(op_.site);
    switch (op_.composite) {
      case Composite::softmax: return softmax(lanes_[0].get(), static_cast<int>(attribute_.ints[0]) + 1);
      case Composite::layer_norm: return layer_norm(lanes_[0].get(), Dims(attribute_.ints), {}, {}, attribute_.real);
      case Composite::gelu: return gelu(lanes_[0].get());
      case Composite::cross_entropy: {
        const Tensor losses =
            cross_entropy(merged({spread(lanes_[0], n_), true}), merged({spread(lanes_[1], n_), true}), Reduction::none);
        return detail::reshape(op_.site, losses, sizes());
      }
      case Composite::cat: {
        std::vector<Tensor> parts;
        for (const Lane& lane : lanes_) parts.push_back(spread(lane, n_));
        return cat(parts, static_cast<int>(attribute_.ints[0]) + 1);
      }
      case Composite::sum_of: return sum(lanes_[0].get(), 1);  // {n, values, …}
      case Composite::none: break;
    }
    fail(__FILE__, __LINE__, "a composite has no rule for rows");
  }

  const CellProgram& program_;
  const BodyOp& op_;
  std::span<const Lane> lanes_;
  std::int64_t n_;
  const Attribute& attribute_;
};

// As the program called it, on values that are the same for all instances.
Tensor apply_once(const CellProgram& program, const BodyOp& op, std::span<const Lane> lanes) {
  const auto refs = program.operands_of(op);
  const SiteScope scope(op.site);
  if (op.composite != Composite::none) {
    std::vector<Lane> one(lanes.begin(), lanes.end());
    for (Lane& lane : one) lane = {lane.tensor.unsqueeze(0), true};
    return Application(program, op, one, 1).run().squeeze(0);
  }
  OpCall call;
  call.op = op.op;
  call.attr = op.attr;
  call.start = op.start;
  call.site = op.site;
  call.scalar = op.scalar;
  call.n_operands = static_cast<std::uint8_t>(refs.size());
  std::array<Tensor, 3> held;
  for (std::size_t k = 0; k < refs.size(); ++k) {
    CallOperand& to = call.operands[k];
    if (lanes[k].tensor.defined()) {
      // Graphs describe values as row-major: a reshape may need a copy first.
      const bool copies = op.op == Op::reshape && !lanes[k].tensor.is_contiguous();
      held[k] = copies ? lanes[k].tensor.clone() : lanes[k].tensor;
      to.value = held[k].value();
      continue;
    }
    to.ref = refs[k].kind == OperandRef::slot ? kScalarSlot : kLiteral;
    to.scalar_class = op.scalar_class;
  }
  return detail::emit(call);
}

}  // namespace

Dims with_rows(std::int64_t n, const Dims& dims) {
  Dims all = {n};
  for (const std::int64_t extent : dims) all.push_back(extent);
  return all;
}

Lane apply(const CellProgram& program, const BodyOp& op, std::span<const Lane> operands, std::int64_t n) {
  if (!op.rows) return {apply_once(program, op, operands), false};
  if (op.op == Op::reshape) return {operands[0].tensor, true, with_rows(n, desc_of(op.result).dims)};
  return {Application(program, op, operands, n).run(), true};
}

Tensor Lane::as(const Dims& sizes) const { return detail::reshape({}, tensor, sizes); }

}  // namespace swage::grouping
