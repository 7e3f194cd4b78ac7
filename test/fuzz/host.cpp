// What programs do besides computing: handles kept and dropped, reads, ends of steps, exceptions, shared memory, mistakes.
#include <thread>
#include <utility>

#include <fmt/format.h>

#include <test/fuzz/program.hpp>

namespace swage::fuzz {

void Program::handles(Notes& notes) {
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

void Program::host(Notes& notes) {
  switch (pick(12)) {
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
      if (!traits_.borrows || !odd_round(6)) return;
      const Tensor a = any();
      if (a.dtype() != DType::f32 || a.numel() == 0 || a.value()->view().overlaps_itself()) return;
      say("data pointer of " + name(a));
      *a.mutable_data<float>() = static_cast<float>(round_);
      return;
    }
    case 8: {  // what comes next depends on a value
      const Tensor a = any();
      if (!odd_round(2)) return;
      say("branch on " + name(a));
      return keep(sum(a.to(DType::f32)).item() > 0 ? a * 2 : a - 1);
    }
    case 9:
      if (odd_round(3)) say("keep the generator's state"), kept_random_ = random_state();
      return;
    case 10:
      if (odd_round(3)) say("restore the generator's state"), set_random_state(kept_random_);
      return;
    default: notes(std::to_string(any().numel())); return;
  }
}

// The user's own memory, shared, written and read between two ops.
void Program::share(Notes& notes) {
  const auto at = pick(8);
  say("share");
  if (odd_round(2)) keep(borrow(memory_.data() + at, {6}, DType::f32));
  memory_[pick(memory_.size())] = static_cast<float>(round_) * 0.5f;
  notes(std::to_string(memory_[at + pick(6)]));
}

// Another thread, which ends before this one goes on: it reads what may be pending here, computes from it, and takes handles with it.
// What it computed may come back deferred still.
void Program::elsewhere(Notes& notes) {
  Tensor a = any();
  const std::size_t f = pick(5);
  say(fmt::format("elsewhere {} with {}", f, name(a)));
  Tensor result;
  std::thread([&, mine = f == 0 ? std::exchange(a, {}) : a]() mutable {
    const NoGradGuard no_grad;
    const Tensor x = mine.detach().to(DType::f32);
    switch (f) {
      case 0: mine = {}; break;
      case 1: notes(mine); break;
      case 2:
        for (int i = 0; i < 3; ++i) {
          result = tanh(x * 0.5) + i;
          if (i < 2) step();
        }
        break;
      case 3:
        result = sum(x * x) + x;
        step();
        break;
      default: result = mine.detach(); break;
    }
  }).join();
  if (result.defined()) keep(result);
}

// An op that raises, now and then or every time.
void Program::mistake() {
  const Tensor a = any();
  if (chance(2) && !odd_round(4)) return;
  const std::size_t f = pick(6);
  say(fmt::format("mistake {} with {}", f, name(a)));
  switch (f) {
    case 0: return keep(a + zeros({3, 11}));
    case 1: return keep(matmul(a, zeros({97, 2})));
    case 2: return keep(a.reshape({a.numel() + 1}));
    case 3: return keep(a.narrow(0, 1, 100'000'000));
    case 4: return keep(gather(a, 0, a));
    default: return keep(a.select(7, 0));
  }
}

}  // namespace swage::fuzz
