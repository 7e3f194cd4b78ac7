#include <swage/recurrent.hpp>

#include <array>
#include <memory>
#include <vector>

#include <swage/autograd/grad_mode.hpp>
#include <swage/autograd/node.hpp>
#include <swage/batch/collecting.hpp>
#include <swage/detail/call.hpp>
#include <swage/detail/composite.hpp>
#include <swage/index.hpp>
#include <swage/pointwise.hpp>
#include <swage/products.hpp>
#include <swage/reduce.hpp>

namespace swage {

namespace {

using detail::narrow;

Scalar lit(double number) { return Scalar::literal(number); }

// What one step leaves for its gradient, all (N,H). `before` is the cell state that it met, undefined for zeros.
struct Step {
  Tensor input, forget, candidate, output, before, cell, squashed, hidden;
};

Step step_of(const Tensor& gates, const Tensor& cell, std::int64_t width) {
  const auto part = [&](std::int64_t k) { return narrow({}, gates, 1, k * width, width); };
  Step step;
  step.input = sigmoid(part(0));
  step.forget = sigmoid(part(1));
  step.candidate = tanh(part(2));
  step.output = sigmoid(part(3));
  step.before = cell;
  const Tensor fresh = step.input * step.candidate;
  step.cell = cell.defined() ? step.forget * cell + fresh : fresh;
  step.squashed = tanh(step.cell);
  step.hidden = step.output * step.squashed;
  return step;
}

// Extents that every call needs: rows N, width H. `x` is (…,N,I).
struct Extents {
  std::int64_t rows, inputs, width;
};

Extents checked(const char* op, const Tensor& x, int rank, const LSTMState& state, const LSTMWeights& weights) {
  const CallSite site = SiteScope::or_else({});
  detail::require_defined({}, op, x, "the input");
  detail::require_defined({}, op, weights.input, "the input weight");
  detail::require_defined({}, op, weights.hidden, "the hidden weight");
  if (!is_float(x.dtype())) raise<DTypeError>(site, "[{}] takes f32 or f64, not {}", op, name_of(x.dtype()));
  if (x.dim() != rank)
    raise<ShapeError>(site, "[{}] takes an input of shape {}, not {}", op, rank == 3 ? "T×N×I" : "N×I", to_string(x.sizes()));
  const Dims& shape = weights.hidden.sizes();
  if (shape.rank() != 2 || shape[0] != 4 * shape[1] || shape[1] == 0)
    raise<ShapeError>(site, "[{}] the hidden weight must be 4·H×H, not {}", op, to_string(shape));
  const Extents extents{x.sizes()[rank - 2], x.sizes()[rank - 1], shape[1]};
  const auto expect = [&](const Tensor& a, const char* what, const Dims& wanted) {
    if (!a.defined()) return;
    if (!(a.sizes() == wanted))
      raise<ShapeError>(site, "[{}] for an input of shape {} and a width of {}, {} must be {}, not {}", op,
                        to_string(x.sizes()), extents.width, what, to_string(wanted), to_string(a.sizes()));
    if (a.dtype() != x.dtype())
      raise<DTypeError>(site, "[{}] the input is {}, so {} must be, too, not {}", op, name_of(x.dtype()), what,
                        name_of(a.dtype()));
  };
  expect(weights.input, "the input weight", {4 * extents.width, extents.inputs});
  expect(weights.hidden, "the hidden weight", {4 * extents.width, extents.width});
  expect(weights.input_bias, "the input bias", {4 * extents.width});
  expect(weights.hidden_bias, "the hidden bias", {4 * extents.width});
  expect(state.hidden, "the hidden state", {extents.rows, extents.width});
  expect(state.cell, "the cell state", {extents.rows, extents.width});
  if (weights.input_bias.defined() != weights.hidden_bias.defined())
    raise<ValueError>(site, "[{}] takes two biases or none", op);
  return extents;
}

// Of the layer's gradient; the position of each operand among the edges.
enum Operands : std::size_t { kInput, kHidden, kCell, kInputWeight, kHiddenWeight, kInputBias, kHiddenBias, kOperands };
using OperandList = std::array<Tensor, kOperands>;

std::vector<Step> run_steps(const OperandList& operands) {
  const Dims& sizes = operands[kInput].sizes();
  const std::int64_t rows = sizes[1], width = operands[kHiddenWeight].sizes()[1];
  const Tensor bias = operands[kInputBias].defined() ? operands[kInputBias] + operands[kHiddenBias] : Tensor();
  const Tensor by_input =
      linear(detail::reshape({}, operands[kInput], {sizes[0] * rows, sizes[2]}), operands[kInputWeight], bias);
  const Tensor recurrent = operands[kHiddenWeight].t();
  std::vector<Step> steps;
  steps.reserve(static_cast<std::size_t>(sizes[0]));
  Tensor hidden = operands[kHidden], cell = operands[kCell];
  for (std::int64_t t = 0; t < sizes[0]; ++t) {
    Tensor gates = narrow({}, by_input, 0, t * rows, rows);
    if (hidden.defined()) gates = matmul(hidden, recurrent) + gates;
    steps.push_back(step_of(gates, cell, width));
    hidden = steps.back().hidden;
    cell = steps.back().cell;
  }
  return steps;
}

// Everything visible in one tensor (T + 2,N,H): the hidden state before each step and after the last, then the last cell state.
// So the hidden states that the steps met are its first T, in a row.
Tensor packed(const OperandList& operands, const std::vector<Step>& steps) {
  const Tensor& last = steps.back().cell;
  const std::int64_t rows = last.sizes()[0], width = last.sizes()[1], n = static_cast<std::int64_t>(steps.size());
  const Tensor all = detail::full({}, {n + 2, rows, width}, lit(0), last.dtype());
  const auto put = [&](std::int64_t at, const Tensor& part) {
    detail::call_in_place({}, Op::assign, {narrow({}, all, 0, at, 1), part});
  };
  if (operands[kHidden].defined()) put(0, operands[kHidden]);
  for (std::int64_t t = 0; t < n; ++t) put(t + 1, steps[static_cast<std::size_t>(t)].hidden);
  put(n + 1, last);
  return all;
}

struct LayerGradient final : autograd::CustomGradient {
  OperandList operands;
  std::array<std::uint32_t, kOperands> versions{};  // of their storages, when the layer was called
  std::vector<Step> steps;
  Tensor all;  // see `packed`
  std::uint32_t all_version = 0;

  Tensor gradient(const Tensor& grad_output, std::size_t operand) override {
    if (shared_.of.value() != grad_output.value() || shared_.differentiable != GradMode::enabled()) make_shared(grad_output);
    Tensor result = of_operand(operand);
    std::size_t last = 0;
    for (std::size_t k = 0; k < edges.size(); ++k)
      if (edges[k].wanted()) last = k;
    if (operand == last) shared_ = {};
    return result;
  }

  void free_saved() noexcept override {
    operands = {};
    steps.clear();
    all = {};
    shared_ = {};
  }

 private:
  // What the gradients of all operands are made from.
  struct Shared {
    Tensor of;  // the gradient of the result that all this belongs to
    bool differentiable = false;
    Tensor gates;         // (T·N,4·H), of the gates before their activation
    Tensor hidden, cell;  // of the first state
    Tensor bias;
    Tensor met;  // (T·N,H): the hidden states that the steps met
  };

  void check_unchanged() const {
    bool changed = all.value()->owner()->version != all_version;
    for (std::size_t k = 0; k < kOperands; ++k)
      if (operands[k].defined()) changed |= operands[k].value()->owner()->version != versions[k];
    if (changed)
      raise<AutogradError>(SiteScope::or_else({}),
                           "[backward] an operand or the result of [{}] was changed in place after the call, and the gradient "
                           "needs it; change a clone() of it, or change it after backward",
                           name);
  }

  // Back through time. Where the pass itself is recorded, the steps are computed again, on the tape: then everything here is a
  // differentiable function of the operands.
  void make_shared(const Tensor& grad_output) {
    check_unchanged();
    shared_ = {};
    shared_.of = grad_output;
    shared_.differentiable = GradMode::enabled();
    const std::vector<Step> again = shared_.differentiable ? run_steps(operands) : std::vector<Step>();
    const std::vector<Step>& kept = shared_.differentiable ? again : steps;
    const auto n = static_cast<std::int64_t>(kept.size());
    const std::int64_t rows = all.sizes()[1], width = all.sizes()[2];
    const Tensor grads = detail::reshape({}, grad_output, {(n + 2) * rows, width});
    std::vector<Tensor> parts(kept.size());
    Tensor gates;
    if (!shared_.differentiable) gates = detail::full({}, {n * rows, 4 * width}, lit(0), all.dtype());
    Tensor hidden, cell = narrow({}, grads, 0, (n + 1) * rows, rows);
    for (std::int64_t t = n - 1; t >= 0; --t) {
      const Step& step = kept[static_cast<std::size_t>(t)];
      const Tensor from_outside = narrow({}, grads, 0, (t + 1) * rows, rows);
      hidden = hidden.defined() ? from_outside + hidden : from_outside;
      const Tensor output = hidden * step.squashed * (step.output - square(step.output));
      cell = hidden * step.output * (lit(1) - square(step.squashed)) + cell;
      const Tensor input = cell * step.candidate * (step.input - square(step.input));
      const Tensor candidate = cell * step.input * (lit(1) - square(step.candidate));
      Tensor forget;
      if (step.before.defined()) forget = cell * step.before * (step.forget - square(step.forget));
      Tensor& part = parts[static_cast<std::size_t>(t)];
      if (shared_.differentiable) {
        part = cat({input, forget.defined() ? forget : input * lit(0), candidate, output}, 1);
      } else {
        part = narrow({}, gates, 0, t * rows, rows);
        const auto put = [&](std::int64_t k, const Tensor& gate) {
          if (gate.defined()) detail::call_in_place({}, Op::assign, {narrow({}, part, 1, k * width, width), gate});
        };
        put(0, input), put(1, forget), put(2, candidate), put(3, output);
      }
      cell = cell * step.forget;
      if (t > 0 || edges[kHidden].wanted()) hidden = matmul(part, operands[kHiddenWeight]);
    }
    shared_.gates = shared_.differentiable ? cat(parts, 0) : gates;
    shared_.hidden = hidden;
    shared_.cell = cell;
    shared_.met = shared_.differentiable ? met_again(again) : narrow({}, all, 0, 0, n);
    shared_.met = detail::reshape({}, shared_.met, {n * rows, width});
  }

  Tensor met_again(const std::vector<Step>& again) const {
    std::vector<Tensor> met{operands[kHidden].defined() ? operands[kHidden] : again.front().hidden * lit(0)};
    for (std::size_t t = 0; t + 1 < again.size(); ++t) met.push_back(again[t].hidden);
    return cat(met, 0);
  }

  Tensor of_operand(std::size_t operand) {
    const Tensor& gates = shared_.gates;
    switch (operand) {
      case kInput: return detail::reshape({}, matmul(gates, operands[kInputWeight]), operands[kInput].sizes());
      case kHidden: return shared_.hidden;
      case kCell: return shared_.cell;
      case kInputWeight: {
        const Dims& sizes = operands[kInput].sizes();
        return matmul(gates.t(), detail::reshape({}, operands[kInput], {sizes[0] * sizes[1], sizes[2]}));
      }
      case kHiddenWeight: return matmul(gates.t(), shared_.met);
      default:
        if (!shared_.bias.defined()) shared_.bias = sum(gates, 0);
        return shared_.bias;
    }
  }

  Shared shared_;
};

}  // namespace

LSTMState lstm_cell(const Tensor& x, const LSTMState& state, const LSTMWeights& weights) {
  const SiteScope scope(caller());
  const Extents extents = checked("lstm_cell", x, 2, state, weights);
  Tensor gates = linear(x, weights.input, weights.input_bias);
  if (state.hidden.defined())
    gates = gates + linear(state.hidden, weights.hidden, weights.hidden_bias);
  else if (weights.hidden_bias.defined())
    gates = gates + weights.hidden_bias;
  Step step = step_of(gates, state.cell, extents.width);
  return {step.hidden, step.cell};
}

LSTMSequence lstm_layer(const Tensor& x, const LSTMState& first, const LSTMWeights& weights) {
  const SiteScope scope(caller());
  const grouping::Pause pause;  // a batch scope would have it run op by op
  const Extents extents = checked("lstm_layer", x, 3, first, weights);
  if (x.sizes()[0] < 1)
    raise<ShapeError>(SiteScope::or_else({}), "[lstm_layer] needs at least one step: {}", to_string(x.sizes()));
  auto custom = std::make_unique<LayerGradient>();
  custom->name = "lstm_layer";
  custom->operands = {x, first.hidden, first.cell, weights.input, weights.hidden, weights.input_bias, weights.hidden_bias};
  bool wanted = false;
  for (std::size_t k = 0; k < kOperands; ++k) {
    const Tensor& operand = custom->operands[k];
    custom->edges.push_back(operand.defined() ? autograd::edge_to(operand.value()) : autograd::Edge());
    wanted |= custom->edges.back().wanted();
    if (operand.defined()) custom->versions[k] = operand.value()->owner()->version;
  }
  wanted &= GradMode::enabled();
  Tensor all;
  {
    NoGradGuard no_grad;
    custom->steps = run_steps(custom->operands);
    custom->all = packed(custom->operands, custom->steps);
    custom->all_version = custom->all.value()->owner()->version;
    // Another value of the same storage carries the node, so that the node may hold the storage.
    all = wanted ? detail::call({}, Op::alias, {custom->all}) : custom->all;
  }
  if (wanted) {
    autograd::NodeRef node = autograd::new_node();
    node->site = SiteScope::or_else({});
    node->custom = std::move(custom);
    autograd::attach(*all.value(), std::move(node));
  }
  const std::int64_t n = x.sizes()[0];
  const auto row = [&](std::int64_t at) {
    return detail::reshape({}, narrow({}, all, 0, at, 1), {extents.rows, extents.width});
  };
  return {narrow({}, all, 0, 1, n), {row(n), row(n + 1)}};
}

}  // namespace swage
