// Statements that are about where values lie: views, writes in place, addressing by data.
#include <algorithm>

#include <fmt/format.h>

#include <test/fuzz/program.hpp>

namespace swage::fuzz {

void Program::view() {
  const Tensor a = any();
  const std::size_t f = pick(10);
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
      Dims wide{2};
      for (std::int64_t each : a.sizes()) wide.push_back(each == 1 ? 3 : each);
      return keep(a.expand(wide));
    }
    case 7: {
      Dims order;
      for (int k = 0; k < a.dim(); ++k) order.push_back((k + 1) % a.dim());
      return keep(a.permute(order));
    }
    case 8: return keep(a.slice(d, 1, extent));
    default: return keep(a.detach());
  }
}

void Program::in_place() {
  const Tensor a = chance(3) ? state_[pick(state_.size())] : any();
  const std::size_t f = pick(16);
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
    case 11: a.relu_(); return;
    case 12: a.uniform_(-1, 1); return;
    case 13: a.normal_(); return;
    case 14: a.sigmoid_(); return;
    default: a.neg_(); return;
  }
}

void Program::index() {
  const Tensor a = any();
  if (a.dim() == 0 || a.numel() == 0) return;
  const int d = static_cast<int>(pick(static_cast<std::size_t>(a.dim())));
  if (chance(4) && a.dtype() != DType::boolean) {  // by an index that the window itself computes
    say(fmt::format("gather from {} along {} where it is greatest", name(a), d));
    return keep(gather(a, d, argmax(a, d, true)));
  }
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

void Program::join() {
  const Tensor a = any();
  say(fmt::format("cat {}", name(a)));
  if (a.dim() == 0 || a.numel() > 500) return;
  keep(chance(2) ? cat({a, a * 2, a}, 0) : stack({a, a + 1}, a.dim() < 4 ? 1 : 0));
}

}  // namespace swage::fuzz
