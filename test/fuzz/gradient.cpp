// Statements that differentiate and train.
#include <fmt/format.h>

#include <test/fuzz/program.hpp>

namespace swage::fuzz {

void Program::leaf() {
  const Tensor a = any_float();
  if (leaves_.size() > 3) return;
  say(fmt::format("leaf from {}", name(a)));
  Tensor leaf = chance(3) ? a.detach() : a.detach().clone();
  leaf.requires_grad_();
  leaves_.push_back(leaf);
  keep(leaf);
}

void Program::gradient() {
  std::vector<Tensor> roots;
  for (const Tensor& value : values_)
    if (value.requires_grad() && !value.is_leaf()) roots.push_back(value);
  if (roots.empty()) return leaf();
  const Tensor root = roots[pick(roots.size())];
  say(fmt::format("backward from {}", name(root)));
  const bool retain = chance(3);
  if (chance(4) && !leaves_.empty()) {
    const Tensor input = leaves_[pick(leaves_.size())];
    return keep(grad({sum(root * root)}, {input}, {}, true, chance(2))[0]);
  }
  if (chance(2))
    sum(root * number()).backward({}, retain);
  else
    root.backward(ones_like(root), retain);
  for (const Tensor& each : leaves_)
    if (const Tensor found = each.grad(); found.defined() && chance(2)) {
      keep(found);
      if (chance(2)) each.set_grad({});
    }
}

// A small perceptron and one step of it, in one of the ways in which people write that.
void Program::train(Notes& notes) {
  const Tensor x = chance(2) ? randn({batch(), 6}) : any_matrix();
  if (x.sizes()[1] != 6 || x.dtype() != DType::f32 || x.sizes()[0] == 0) return;
  const std::size_t loss_kind = pick(3), update = pick(5);
  say(fmt::format("train on {} loss {} update {}", name(x), loss_kind, update));
  Tensor h = linear(x, parameters_[0], parameters_[1]);
  h = chance(2) ? relu(h) : tanh(h);
  const Tensor y = linear(h, parameters_[2], chance(2) ? parameters_[3] : Tensor());
  Tensor loss;
  switch (loss_kind) {
    case 0: loss = mean(square(y - 1)); break;
    case 1: loss = cross_entropy(y, full({x.sizes()[0]}, round_ % 3, DType::i64)); break;
    default: loss = sum(tanh(y) * y); break;
  }
  loss.backward();
  if (odd_round(3)) notes(loss);
  if (chance(4)) keep(optim::clip_grad_norm_(parameters_, 0.5));
  switch (update) {
    case 0: return;  // gradients add up over rounds
    case 1:
      no_grad([&] {
        for (const Tensor& parameter : parameters_) {
          if (!parameter.grad().defined()) continue;
          parameter.sub_(parameter.grad() * (0.1 / (1 + round_)));
          parameter.set_grad({});
        }
      });
      return;
    case 2: optimizer_->step(optim::keep_gradients); return optimizer_->zero_grad();
    case 3: optimizer_->set_lr(0.1 / (1 + round_)); [[fallthrough]];
    default: return optimizer_->step();
  }
}

}  // namespace swage::fuzz
