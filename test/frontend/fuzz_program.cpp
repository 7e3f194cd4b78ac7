#include <test/frontend/fuzz_program.hpp>

#include <algorithm>
#include <stdexcept>

#include <fmt/format.h>

namespace swage::test {

namespace {

std::uint64_t mixed(std::uint64_t seed, std::uint64_t salt) {
  std::uint64_t z = seed + 0x9E3779B97F4A7C15ull * (salt + 1);
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ z >> 27) * 0x94D049BB133111EBull;
  return z ^ z >> 31;
}

constexpr std::size_t kMostValues = 10;
constexpr std::int64_t kMostElements = 4096;

bool broadcasts(const Dims& a, const Dims& b) {
  Dims result;
  return broadcast(a, b, result) && result.product() <= kMostElements;
}

class UserError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace

std::size_t FuzzProgram::length(std::uint64_t seed) { return 4 + mixed(seed, 1) % 28; }

bool FuzzProgram::odd_round(std::size_t one_in) {
  const std::size_t phase = pick(one_in);
  return static_cast<std::size_t>(round_) % one_in == phase;
}

std::int64_t FuzzProgram::moving(std::int64_t n) {
  const auto start = static_cast<std::int64_t>(pick(static_cast<std::size_t>(n)));
  return moves_ ? (start + round_ * 3) % n : start;
}

double FuzzProgram::number() {
  const double choices[] = {0.5, -1.25, 2.0, 0.0, 1.0 + round_, 0.1 * round_ - 0.3};
  return choices[pick(std::size(choices))];
}

std::string FuzzProgram::name(const Tensor& tensor) const {
  for (std::size_t i = 0; i < values_.size(); ++i)
    if (values_[i].value() == tensor.value()) return fmt::format("v{}", i);
  for (std::size_t i = 0; i < state_.size(); ++i)
    if (state_[i].value() == tensor.value()) return fmt::format("s{}", i);
  return "new";
}

void FuzzProgram::say(const std::string& line) {
  if (listing_on_) listing_ += line + "\n";
}

Dims FuzzProgram::shape() {
  static const Dims kShapes[] = {{4, 6},  {6, 4}, {5, 5},  {3, 4, 6}, {6},    {4, 1},      {1, 6},
                                 {2, 33}, {40},   {7, 17}, {},        {0, 4}, {2, 3, 2, 5}};
  return kShapes[pick(chance(3) ? std::size(kShapes) : 5)];
}

Tensor FuzzProgram::any() {
  if (values_.empty() || chance(4)) return state_[pick(state_.size())];
  return values_[chance(2) ? values_.size() - 1 - pick(std::min<std::size_t>(3, values_.size())) : pick(values_.size())];
}

Tensor FuzzProgram::any_float() {
  for (int tries = 0; tries < 6; ++tries)
    if (Tensor a = any(); is_float(a.dtype())) return a;
  return state_[0];
}

Tensor FuzzProgram::any_matrix() {
  for (int tries = 0; tries < 8; ++tries)
    if (Tensor a = any_float(); a.dim() == 2) return a;
  return state_[0];
}

Tensor FuzzProgram::fitting(const Tensor& other) {
  for (int tries = 0; tries < 8; ++tries)
    if (Tensor a = any(); broadcasts(a.sizes(), other.sizes())) return a;
  return chance(2) ? other : Tensor();
}

void FuzzProgram::keep(Tensor tensor) {
  say(fmt::format("  -> {}{}", name_of(tensor.dtype()), to_string(tensor.sizes())));
  if (values_.size() < kMostValues)
    values_.push_back(std::move(tensor));
  else
    values_[pick(values_.size())] = std::move(tensor);
}

void FuzzProgram::make() {
  const Dims dims = shape();
  const DType dtype = chance(4) ? DType::f64 : DType::f32;
  switch (pick(6)) {
    case 0: say("rand"); return keep(rand(dims, dtype));
    case 1: say("randn"); return keep(randn(dims, dtype));
    case 2: say("full"); return keep(full(dims, number(), dtype));
    case 3: say("randint"); return keep(randint(-3, 4, dims));
    case 4: say("arange"); return keep(arange(static_cast<std::int64_t>(dims.product())).reshape(dims));
    default: say("zeros"); return keep(zeros(dims, dtype));
  }
}

void FuzzProgram::unary() {
  const Tensor a = any();
  Tensor (*const functions[])(const Tensor&) = {neg,   abs,        sign, square,  relu, exp, log,  sqrt,
                                                rsqrt, reciprocal, tanh, sigmoid, sin,  cos, floor};
  const std::size_t f = pick(std::size(functions));
  say(fmt::format("unary {} of {}", f, name(a)));
  if (a.dtype() == DType::boolean) return keep(logical_not(a));
  keep(functions[f](a));
}

void FuzzProgram::binary() {
  const Tensor a = any(), b = fitting(a);
  if (!b.defined()) return;
  const std::size_t f = pick(8);
  say(fmt::format("binary {} of {} and {}", f, name(a), name(b)));
  switch (f) {
    case 0: return keep(a + b);
    case 1: return keep(a - b);
    case 2: return keep(a * b);
    case 3: return keep(a / b);
    case 4: return keep(maximum(a, b));
    case 5: return keep(minimum(b, a));
    case 6: return keep(lt(a, b));
    default: return keep(eq(a, b));
  }
}

void FuzzProgram::with_number() {
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

void FuzzProgram::select_where() {
  const Tensor a = any(), b = fitting(a);
  if (!b.defined()) return;
  const Tensor condition = a.dtype() == DType::boolean ? a : gt(a, number());
  say(fmt::format("where {} {}", name(a), name(b)));
  if (chance(3)) return keep(where(condition, b, number()));
  const Tensor c = fitting(condition);
  if (c.defined() && broadcasts(b.sizes(), c.sizes())) keep(where(condition, b, c));
}

void FuzzProgram::reduction() {
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

void FuzzProgram::product() {
  const Tensor a = any_matrix();
  for (int tries = 0; tries < 6; ++tries) {
    const Tensor b = any_matrix();
    if (b.dtype() != a.dtype()) continue;
    say(fmt::format("matmul {} {}", name(a), name(b)));
    if (a.sizes()[1] == b.sizes()[0]) return keep(matmul(a, b));
    if (a.sizes()[1] == b.sizes()[1]) return keep(matmul(a, b.t()));
    if (a.sizes()[0] == b.sizes()[0]) return keep(matmul(a.t(), b));
  }
  keep(matmul(a, a.t()));
}

void FuzzProgram::view() {
  const Tensor a = any();
  const std::size_t f = pick(8);
  say(fmt::format("view {} of {}", f, name(a)));
  if (a.dim() == 0) return keep(f % 2 ? a.reshape({1}) : a.expand({2, 3}));
  const int d = static_cast<int>(pick(static_cast<std::size_t>(a.dim())));
  const std::int64_t extent = a.sizes()[d];
  switch (f) {
    case 0: return keep(a.transpose(0, d));
    case 1: return keep(a.reshape({a.numel()}));
    case 2:
    case 3: {
      const auto length = static_cast<std::int64_t>(pick(static_cast<std::size_t>(extent + 1)));
      return keep(a.narrow(d, moving(extent - length + 1), length));
    }
    case 4: return extent ? keep(a.select(d, moving(extent))) : void();
    case 5: return a.dim() < 4 ? keep(a.unsqueeze(d)) : keep(a.squeeze());
    case 6: {
      if (a.dim() > 2 || a.numel() > 100) return;
      Dims dims = a.sizes();
      Dims wide{2};
      for (std::int64_t each : dims) wide.push_back(each == 1 ? 3 : each);
      return keep(a.expand(wide));
    }
    default: return keep(a.detach());
  }
}

void FuzzProgram::in_place() {
  const Tensor a = chance(3) ? state_[pick(state_.size())] : any();
  const std::size_t f = pick(12);
  Tensor b = f < 6 ? fitting(a) : Tensor();
  if (f < 6 && a.dim() == 2 && a.sizes()[0] == a.sizes()[1] && chance(3)) b = a.t();
  if (f < 6 && !b.defined()) return;
  say(fmt::format("in place {} of {} with {}", f, name(a), b.defined() ? name(b) : "-"));
  const bool on_tape = chance(4);
  const GradModeGuard mode(on_tape);
  switch (f) {
    case 0: a.add_(b); return;
    case 1: a.sub_(b); return;
    case 2: a.mul_(b); return;
    case 3: a.copy_(b); return;
    case 4: a.div_(b); return;
    case 5: a += b; return;
    case 6: a.add_(number()); return;
    case 7: a.mul_(0.5); return;
    case 8: a.fill_(round_); return;
    case 9: a.tanh_(); return;
    case 10: a.zero_(); return;
    default: a.neg_(); return;
  }
}

void FuzzProgram::cast() {
  const Tensor a = any();
  static constexpr DType kTypes[] = {DType::f32, DType::f64, DType::i64, DType::boolean};
  const DType to = kTypes[pick(4)];
  say(fmt::format("cast {} to {}", name(a), name_of(to)));
  keep(a.to(to));
}

void FuzzProgram::index() {
  const Tensor a = any();
  if (a.dim() == 0 || a.numel() == 0) return;
  const int d = static_cast<int>(pick(static_cast<std::size_t>(a.dim())));
  Dims dims = a.sizes();
  dims[d] = static_cast<std::int64_t>(1 + pick(3));
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(dims.product()));
  for (auto& each : numbers) each = moving(a.sizes()[d]);
  if (odd_round(11) && chance(2)) numbers[pick(numbers.size())] = a.sizes()[d];  // out of range
  const Tensor index = tensor(numbers, dims);
  if (chance(3)) {
    Tensor source = full(dims, number(), a.dtype());
    say(fmt::format("scatter_add into {}", name(a)));
    return keep(scatter_add(a, d, index, source));
  }
  say(fmt::format("gather from {} along {}", name(a), d));
  keep(gather(a, d, index));
}

void FuzzProgram::composite() {
  const Tensor a = any_float();
  const std::size_t f = pick(5);
  say(fmt::format("composite {} of {}", f, name(a)));
  if (f == 0) return keep(a.clone());
  if (f == 1) return keep(a.contiguous());
  if (a.dim() == 0) return;
  const int d = static_cast<int>(pick(static_cast<std::size_t>(a.dim())));
  if (a.numel() == 0) return;
  if (f == 2) return keep(softmax(a, d));
  if (f == 3) return keep(log_softmax(a, d));
  keep(var(a, {d}, 0, true));
}

void FuzzProgram::join() {
  const Tensor a = any();
  say(fmt::format("cat {}", name(a)));
  if (a.dim() == 0 || a.numel() > 500) return;
  keep(chance(2) ? cat({a, a * 2, a}, 0) : stack({a, a + 1}, a.dim() < 4 ? 1 : 0));
}

void FuzzProgram::leaf() {
  const Tensor a = any_float();
  if (leaves_.size() > 3) return;
  say(fmt::format("leaf from {}", name(a)));
  Tensor leaf = chance(3) ? a.detach() : a.detach().clone();
  leaf.requires_grad_();
  leaves_.push_back(leaf);
  keep(leaf);
}

void FuzzProgram::gradient() {
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

void FuzzProgram::handles(Notes& notes) {
  switch (pick(6)) {
    case 0:
    case 1:
      if (values_.empty()) return;
      say("drop");
      values_.erase(values_.begin() + static_cast<std::ptrdiff_t>(pick(values_.size())));
      return;
    case 2: say("another handle"); return keep(any());
    case 3:
      if (!odd_round(3)) return;
      history_.push_back(any());
      say("remember " + name(history_.back()));
      if (history_.size() > 2) history_.erase(history_.begin());
      return;
    case 4:
      if (history_.empty()) return;
      say("note what was remembered");
      notes(history_.front());
      return;
    default: {
      const Tensor target = state_[pick(state_.size())];
      const Tensor source = fitting(target);
      if (!source.defined() || !(source.sizes() == target.sizes()) || !is_float(source.dtype())) return;
      say(fmt::format("state {} from {}", name(target), name(source)));
      const NoGradGuard no_grad;
      target.copy_(tanh(source.detach()));
    }
  }
}

void FuzzProgram::host(Notes& notes) {
  switch (pick(9)) {
    case 0:
    case 1: {
      const Tensor a = any();
      if (chance(2) && !odd_round(3)) return;
      say("read " + name(a));
      return notes(a);
    }
    case 2:
      if (odd_round(4)) say("step"), step();
      return;
    case 3: say("step"); return step();
    case 4:
      if (odd_round(9)) throw UserError("the user's");
      return;
    case 5:
      if (odd_round(5)) manual_seed(static_cast<std::uint64_t>(round_));
      return;
    case 6:
      if (odd_round(3)) say("foreign op"), keep(any() * any_float().sizes().product());
      return;
    case 7: {
      if (!borrows_ || !odd_round(6)) return;
      const Tensor a = any();
      if (a.dtype() != DType::f32 || a.numel() == 0 || a.value()->view().overlaps_itself()) return;
      say("data pointer of " + name(a));
      *a.mutable_data<float>() = static_cast<float>(round_);
      return;
    }
    default: notes(std::to_string(any().numel())); return;
  }
}

// The user's own memory, shared, written and read between two ops.
void FuzzProgram::share(Notes& notes) {
  const auto at = pick(8);
  say("share");
  if (odd_round(2)) keep(borrow(memory_.data() + at, {6}, DType::f32));
  memory_[pick(memory_.size())] = static_cast<float>(round_) * 0.5f;
  notes(std::to_string(memory_[at + pick(6)]));
}

void FuzzProgram::statement(std::size_t position, Notes& notes) {
  random_.seed(mixed(seed_, 100 + position));
  using Statement = void (FuzzProgram::*)();
  static constexpr Statement kStatements[] = {
      &FuzzProgram::make,        &FuzzProgram::unary,       &FuzzProgram::unary,        &FuzzProgram::binary,
      &FuzzProgram::binary,      &FuzzProgram::binary,      &FuzzProgram::view,         &FuzzProgram::view,
      &FuzzProgram::view,        &FuzzProgram::in_place,    &FuzzProgram::in_place,     &FuzzProgram::cast,
      &FuzzProgram::index,       &FuzzProgram::product,     &FuzzProgram::reduction,    &FuzzProgram::reduction,
      &FuzzProgram::leaf,        &FuzzProgram::gradient,    &FuzzProgram::composite,    &FuzzProgram::join,
      &FuzzProgram::with_number, &FuzzProgram::with_number, &FuzzProgram::select_where,
  };
  if (borrows_ && chance(5)) return share(notes);
  const std::size_t kind = pick(std::size(kStatements) + 4);
  if (kind < std::size(kStatements))
    (this->*kStatements[kind])();
  else if (kind < std::size(kStatements) + 2)
    handles(notes);
  else
    host(notes);
}

void FuzzProgram::run_round(Notes& notes) {
  for (std::size_t position = 0; position < enabled_.size(); ++position) {
    if (!enabled_[position]) continue;
    say(fmt::format("{}:", position));
    try {
      statement(position, notes);
    } catch (const Error& error) {
      say(fmt::format("  error: {}", error.what()));
      notes(std::string("error: ") + error.what());
    }
  }
}

void FuzzProgram::run(Notes& notes) {
  random_.seed(mixed(seed_, 2));
  moves_ = chance(2);
  borrows_ = chance(5);
  const std::size_t noted = pick(4);
  memory_.assign(32, 0.5f);
  state_ = {randn({4, 6}), randn({5, 5}), randn({3, 4, 6}), arange(24).reshape({4, 6}), randn({6}, DType::f64)};
  // Half of the programs come with aliases: views that enter a window from outside, beside what they are views of.
  if (chance(2)) {
    state_.push_back(state_[0].narrow(1, 1, 4));
    state_.push_back(state_[1].t());
    state_.push_back(state_[0].reshape({24}).narrow(0, 3, 6));
    state_.push_back(state_[2][1]);
  }
  step();
  for (round_ = 0; round_ < rounds_; ++round_) {
    listing_on_ = round_ == rounds_ - 2;
    values_.clear();
    leaves_.clear();
    try {
      run_round(notes);
    } catch (const UserError& error) {
      notes(std::string(error.what()));
    }
    random_.seed(mixed(seed_, 3));
    for (const Tensor& value : values_)
      if (noted > 0 && pick(4) <= noted) notes(value);
    step();
  }
  for (const Tensor& each : state_) notes(each);
  for (const Tensor& each : history_) notes(each);
  for (const float each : memory_) notes(std::to_string(each));
  notes(rand({2}));
  values_.clear();
  leaves_.clear();
  history_.clear();
  state_.clear();
}

}  // namespace swage::test
