// Every allocation of a training step fails once, in every way in which the engine runs a step: a typed error comes out (or nothing, where
// the engine can do without), no tensor is half written, nothing leaks, and what runs next has the bits of an undisturbed run.
#include <algorithm>
#include <new>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <runtime/engine/stream.hpp>
#include <swage/swage.hpp>
#include <test/faults/failing_allocator.hpp>
#include <test/frontend/tiers.hpp>

namespace swage::test {
namespace {

using Bits = std::vector<float>;

constexpr int kWarmUp = 7;

// A classifier with dropout, a running mean and Adam.
class Training {
 public:
  Training() {
    manual_seed(11);
    parameters_ = {randn({8, 6}) * 0.4, zeros({8}), randn({3, 8}) * 0.4, zeros({3})};
    for (const Tensor& parameter : parameters_) parameter.requires_grad_();
    running_ = zeros({8});
    optimizer_ = std::make_unique<optim::Adam>(parameters_, optim::AdamOptions{.lr = 0.01});
  }

  void step(bool leaves_path = false) {
    const Tensor x = randn({5, 6});
    const Tensor h = relu(linear(x, parameters_[0], parameters_[1]));
    const Tensor dropped = where(lt(rand({5, 8}), 0.8), h, 0) / 0.8;
    no_grad([&] { running_.copy_(running_ * 0.9 + mean(h.detach(), 0) * 0.1); });
    const Tensor scores = linear(dropped, parameters_[2], parameters_[3]);
    const Tensor loss = cross_entropy(scores.narrow(1, 0, 3), labels_);
    if (leaves_path) seen_ = scores * 2;
    loss.backward();
    optimizer_->step();
    loss_ = loss.item();
    seen_ = {};
  }

  // Parameters first.
  std::vector<Bits> state() const {
    std::vector<Bits> bits;
    for (const Tensor& parameter : parameters_) bits.push_back(parameter.detach().to_vector<float>());
    bits.push_back(running_.to_vector<float>());
    const optim::OptimizerState optimizer = optimizer_->state();
    for (const auto& [name, tensor] : optimizer.tensors) bits.push_back(tensor.to_vector<float>());
    return bits;
  }
  std::size_t parameters() const { return parameters_.size(); }

 private:
  std::vector<Tensor> parameters_;
  Tensor running_, seen_, labels_ = tensor({0, 2, 1, 2, 1});
  std::unique_ptr<optim::Optimizer> optimizer_;
  double loss_ = 0;
};

std::vector<Bits> after_steps(int steps) {
  Training training;
  for (int i = 0; i < steps; ++i) training.step();
  return training.state();
}

struct Way {
  const char* name;
  Tier tier;
  bool leaves_path;
  Memory memory;
  bool for_good;
  int steps_before = kWarmUp;

  bool is_cold() const { return steps_before < kWarmUp; }  // the engine does not know the step yet, or has only just kept it
};
std::ostream& operator<<(std::ostream& out, const Way& way) { return out << way.name; }

class AllocationFailure : public testing::TestWithParam<Way> {
 protected:
  void SetUp() override {
    options_ = engine_options();
    set_engine_options(options_of(GetParam().tier));
    forget_traces();
  }
  void TearDown() override {
    set_engine_options(options_);
    forget_traces();
  }
  EngineOptions options_;
};

// Broken windows become known too, and their plans may want a larger arena: only from then on must memory stay as it is.
constexpr int kPasses = 5;

struct Tried {
  std::uint64_t errors = 0, survived = 0;
};

// One step in which the nth allocation fails. False where the step has fewer.
bool fail(const Way& way, std::uint64_t nth, const std::vector<Bits>& before, const std::vector<Bits>& after, Tried& tried) {
  SCOPED_TRACE(fmt::format("allocation {}", nth));
  if (way.is_cold()) forget_traces();
  Training training;
  for (int i = 0; i < way.steps_before; ++i) training.step();
  FailingAllocator allocator(way.memory, nth, way.for_good);
  bool raised = false;
  try {
    training.step(way.leaves_path);
  } catch (const MemoryError&) {
    raised = true;
  } catch (const std::bad_alloc&) {
    raised = true;
  }
  allocator.stop();
  tried.errors += raised;
  tried.survived += allocator.failed() && !raised;
  const std::vector<Bits> now = training.state();
  for (std::size_t i = 0; i < now.size(); ++i) {
    if (!raised) {
      EXPECT_EQ(now[i], after[i]) << "tensor " << i;
    } else if (i < training.parameters()) {
      EXPECT_TRUE(now[i] == before[i] || now[i] == after[i]) << "parameter " << i << " is half written";
    }
  }
  return allocator.failed();
}

TEST_P(AllocationFailure, leaves_a_typed_error_and_whole_tensors) {
  const Way way = GetParam();
  const int steps = way.steps_before;
  const std::vector<Bits> before = after_steps(steps), after = after_steps(steps + 1);
  const std::vector<Bits> later = after_steps(steps + 2);
  {  // the way off the path is known from here on
    Training training;
    for (int i = 0; i < steps; ++i) training.step();
    training.step(way.leaves_path);
    ASSERT_EQ(training.state(), after);
  }
  const EngineStats known = stats();
  Tried tried;
  std::uint64_t live[kPasses];
  for (std::uint64_t& bytes : live) {
    tried = {};
    for (std::uint64_t nth = 1; fail(way, nth, before, after, tried); ++nth) {
      SCOPED_TRACE(fmt::format("allocation {}", nth));
      ASSERT_EQ(after_steps(steps + 2), later) << "the next run differs";
    }
    bytes = memory_stats().live_bytes;
  }
  EXPECT_EQ(live[kPasses - 2], live[kPasses - 1]) << "something leaked";
  const bool warm_plan = way.tier == Tier::compiled && !way.is_cold() && !way.leaves_path;
  if (way.memory == Memory::heap && warm_plan) {
    EXPECT_EQ(tried.errors + tried.survived, 0u) << "a step that a plan runs asks the heap for nothing";
  } else if (way.memory == Memory::buffers || way.tier != Tier::compiled || way.is_cold()) {  // a replay may find all it needs
    EXPECT_GT(tried.errors + tried.survived, 0u);
  }
  if (way.tier == Tier::compiled && !way.is_cold()) {
    EXPECT_GT(stats().hits, known.hits);
  }
  if (way.leaves_path && way.tier == Tier::compiled) {
    EXPECT_GT(stats().side_exits, known.side_exits);
  }
  std::cout << fmt::format("{} errors, {} survived\n", tried.errors, tried.survived);
}

// A window that is replayed draws nothing behind the op that failed, as if it had run eagerly.
TEST(AllocationFailureOfAReplay, gives_back_what_was_drawn_behind_it) {
  const EngineOptions before = engine_options();
  const auto offset_after_failure = [](Tier tier) {
    set_engine_options(options_of(tier));
    forget_traces();
    const Tensor x = ones({64});
    const auto window = [&](bool leaves) {
      const Tensor first = x + rand({64});
      const Tensor second = first * 2;
      const Tensor third = second + rand({64});
      const Tensor last = leaves ? exp(third) : third - x;
      swage::step();
    };
    for (int i = 0; i < kWarmUp; ++i) window(false);
    manual_seed(5);
    FailingAllocator allocator(Memory::buffers, 3, false);  // of `second`
    EXPECT_THROW(window(true), MemoryError);
    allocator.stop();
    EXPECT_TRUE(allocator.failed());
    return Stream::current().random_state().offset;
  };
  const std::uint64_t eager = offset_after_failure(Tier::eager);
  EXPECT_EQ(eager, 64u);
  const std::uint64_t exits = stats().side_exits;
  EXPECT_EQ(offset_after_failure(Tier::compiled), eager);
  EXPECT_GT(stats().side_exits, exits);
  set_engine_options(before);
  forget_traces();
}

constexpr Way kWays[] = {
    {"eager", Tier::eager, false, Memory::buffers, false},
    {"traced", Tier::traced, false, Memory::buffers, false},
    {"plan", Tier::compiled, false, Memory::buffers, false},
    {"plan_for_good", Tier::compiled, false, Memory::buffers, true},
    {"replay", Tier::compiled, true, Memory::buffers, false},
    {"replay_for_good", Tier::compiled, true, Memory::buffers, true},
    {"eager_heap", Tier::eager, false, Memory::heap, false},
    {"traced_heap", Tier::traced, false, Memory::heap, false},
    {"plan_heap", Tier::compiled, false, Memory::heap, false},
    {"plan_heap_for_good", Tier::compiled, false, Memory::heap, true},
    {"replay_heap", Tier::compiled, true, Memory::heap, false},
    {"replay_heap_for_good", Tier::compiled, true, Memory::heap, true},
    {"first_step_heap", Tier::compiled, false, Memory::heap, false, 0},
    {"second_step_heap", Tier::compiled, false, Memory::heap, false, 1},
    {"first_step_heap_for_good", Tier::compiled, false, Memory::heap, true, 0},
    {"first_step", Tier::compiled, false, Memory::buffers, false, 0},
};
INSTANTIATE_TEST_SUITE_P(Ways, AllocationFailure, testing::ValuesIn(kWays), [](const auto& way) { return way.param.name; });

}  // namespace
}  // namespace swage::test
