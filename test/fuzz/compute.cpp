// Statements that make values from values.
#include <fmt/format.h>

#include <test/fuzz/program.hpp>

namespace swage::fuzz {

void Program::make() {
  const Dims dims = shape();
  const DType dtype = chance(4) ? DType::f64 : DType::f32;
  switch (pick(7)) {
    case 0: say("rand"); return keep(rand(dims, dtype));
    case 1: say("randn"); return keep(randn(dims, dtype));
    case 2: say("full"); return keep(full(dims, number(), dtype));
    case 3: say("randint"); return keep(randint(-3, 4, dims));
    case 4: say("arange"); return keep(arange(static_cast<std::int64_t>(dims.product())).reshape(dims));
    case 5: {
      say("from_blob");
      std::vector<float> data(static_cast<std::size_t>(dims.product()), 0.25f * static_cast<float>(round_));
      for (std::size_t i = 0; i < data.size(); ++i) data[i] += static_cast<float>(i % 7) - 3;
      return keep(from_blob(data.data(), dims, DType::f32));
    }
    default: say("zeros"); return keep(zeros(dims, dtype));
  }
}

void Program::unary() {
  const Tensor a = any();
  Tensor (*const functions[])(const Tensor&) = {neg,        abs,  sign,    square, relu, exp,   log,  sqrt, rsqrt,
                                                reciprocal, tanh, sigmoid, sin,    cos,  floor, tanh, relu};
  const std::size_t f = pick(std::size(functions));
  say(fmt::format("unary {} of {}", f, name(a)));
  if (a.dtype() == DType::boolean) return keep(logical_not(a));
  keep(functions[f](a));
}

void Program::binary() {
  const Tensor a = any(), b = fitting(a);
  if (!b.defined()) return;
  const std::size_t f = pick(9);
  say(fmt::format("binary {} of {} and {}", f, name(a), name(b)));
  switch (f) {
    case 0:
    case 1: return keep(a + b);
    case 2: return keep(a - b);
    case 3:
    case 4: return keep(a * b);
    case 5: return keep(a / b);
    case 6: return keep(maximum(a, b));
    case 7: return keep(minimum(b, a));
    default: return keep(a - b * 0.5);
  }
}

void Program::logical() {
  const Tensor a = any(), b = fitting(a);
  if (!b.defined()) return;
  const std::size_t f = pick(8);
  say(fmt::format("logical {} of {} and {}", f, name(a), name(b)));
  switch (f) {
    case 0: return keep(lt(a, b));
    case 1: return keep(le(a, b));
    case 2: return keep(gt(a, b));
    case 3: return keep(ge(a, b));
    case 4: return keep(eq(a, b));
    case 5: return keep(ne(a, b));
    case 6: return keep(logical_and(gt(a, 0), lt(b, 1)));
    default: return keep(logical_or(gt(a, number()), a.dtype() == DType::boolean ? a : ge(a, 0.25)));
  }
}

void Program::with_number() {
  const Tensor a = any();
  const double x = number();
  const std::size_t f = pick(9);
  say(fmt::format("number {} of {}", f, name(a)));
  switch (f) {
    case 0: return keep(a * x);
    case 1: return keep(x - a);
    case 2: return keep(a / (x + 0.25));
    case 3: return keep(a + round_);
    case 4: return keep(gt(a, x));
    case 5: return keep(maximum(a, x));
    case 6: return keep(clamp(a, -1, 1.5));
    case 7: return keep(pow(a, static_cast<double>(pick(4))));
    default: return keep(a * static_cast<std::int64_t>(3));
  }
}

void Program::select_where() {
  const Tensor a = any(), b = fitting(a);
  if (!b.defined()) return;
  const Tensor condition = a.dtype() == DType::boolean ? a : gt(a, number());
  say(fmt::format("where {} {}", name(a), name(b)));
  if (chance(3)) return keep(where(condition, b, number()));
  const Tensor c = fitting(condition);
  Dims result;
  if (c.defined() && broadcast(b.sizes(), c.sizes(), result)) keep(where(condition, b, c));
}

void Program::reduction() {
  const Tensor a = any();
  Dims dims;
  for (int d = 0; d < a.dim(); ++d)
    if (chance(2)) dims.push_back(d);
  if (dims.empty())
    for (int d = 0; d < a.dim(); ++d) dims.push_back(d);
  const bool keepdim = chance(2);
  const std::size_t f = pick(6);
  say(fmt::format("reduction {} of {} over {} keepdim {}", f, name(a), to_string(dims), keepdim));
  switch (f) {
    case 0: return keep(amax(a, dims, keepdim));
    case 1: return keep(amin(a, dims, keepdim));
    case 2: return keep(argmax(a, a.dim() ? static_cast<int>(pick(static_cast<std::size_t>(a.dim()))) : 0, keepdim));
    case 3: return keep(mean(a.to(DType::f32), dims, keepdim));
    default: return keep(sum(a, dims, keepdim));
  }
}

void Program::product() {
  const Tensor a = any_matrix();
  for (int tries = 0; tries < 6; ++tries) {
    const Tensor b = any_matrix();
    if (b.dtype() != a.dtype() || a.numel() * b.numel() > 40'000'000) continue;
    say(fmt::format("matmul {} {}", name(a), name(b)));
    if (a.sizes()[1] == b.sizes()[0]) return keep(matmul(a, b));
    if (a.sizes()[1] == b.sizes()[1] && a.sizes()[0] * b.sizes()[0] < 4096) return keep(matmul(a, b.t()));
    if (a.sizes()[0] == b.sizes()[0] && a.sizes()[1] * b.sizes()[1] < 4096) return keep(matmul(a.t(), b));
  }
  if (a.sizes()[0] < 64) keep(matmul(a, a.t()));
}

void Program::convolution() {
  say("conv2d");
  const Tensor image = randn({traits_.varies ? batch() : 2, 2, 6, 6}), weight = randn({3, 2, 3, 3}) * 0.3;
  const Tensor bias = chance(2) ? randn({3}) : Tensor();
  const bool differentiates = chance(2);
  if (differentiates) weight.requires_grad_(), image.requires_grad_();
  Tensor y = chance(2) ? conv2d(image, weight, bias, 1, 1) : conv2d(image, weight, bias, 2, 0);
  if (chance(2)) y = batch_norm(y, {}, {}, {}, {}, true);
  if (chance(2)) y = relu(y);
  if (differentiates && chance(2)) {
    sum(y * y).backward();
    keep(weight.grad());
    keep(image.grad());
  }
  keep(y);
}

void Program::composite() {
  const Tensor a = any_float();
  const std::size_t f = pick(8);
  say(fmt::format("composite {} of {}", f, name(a)));
  if (f == 0) return keep(a.clone());
  if (f == 1) return keep(a.contiguous());
  if (a.dim() == 0 || a.numel() == 0) return;
  const int d = static_cast<int>(pick(static_cast<std::size_t>(a.dim())));
  switch (f) {
    case 2: return keep(softmax(a, d));
    case 3: return keep(log_softmax(a, d));
    case 4: return keep(mse_loss(a, a * 0.5));
    case 5: {
      if (a.dim() != 2) return;
      const Tensor target = argmax(a.detach() * number(), 1);
      return keep(cross_entropy(a, target));
    }
    case 6: return a.dim() > 1 ? keep(batch_norm(a, {}, {}, {}, {}, true)) : void();
    default: return keep(var(a, {d}, 0, true));
  }
}

void Program::cast() {
  const Tensor a = any();
  static constexpr DType kTypes[] = {DType::f32, DType::f64, DType::i64, DType::boolean};
  const DType to = kTypes[pick(4)];
  say(fmt::format("cast {} to {}", name(a), name_of(to)));
  keep(a.to(to));
}

// A loop, as recurrent programs have them; of changing length in some.
void Program::repeat() {
  const Tensor x = any_float();
  Tensor h = x;
  const std::size_t length = 1 + (traits_.varies ? static_cast<std::size_t>(round_) % 3 : pick(4)), kind = pick(3);
  say(fmt::format("repeat {} times {} from {}", length, kind, name(x)));
  for (std::size_t i = 0; i < length; ++i) {
    if (kind == 0)
      h = tanh(h * 0.5 + x);
    else if (kind == 1)
      h = h + x;
    else
      h = sigmoid(h) - static_cast<double>(i);
  }
  keep(h);
}

}  // namespace swage::fuzz
