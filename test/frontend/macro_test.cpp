// Backward passes appended as one record: the same bits, tape and gradients as op by op, and only where everything that a pass
// follows from is the same.
#include <swage/autograd/macro.hpp>

#include <functional>

#include <gtest/gtest.h>

#include <test/frontend/tiers.hpp>

namespace swage::test {
namespace {

constexpr int kSteps = 14;

// Runs `step` many times in all tiers. Gives how many passes the compiled run appended as one record.
std::uint64_t passes_as_one(const std::function<void(int, Notes&)>& step) {
  std::uint64_t passes = 0;
  expect_same([&](Notes& notes) {
    const std::uint64_t before = autograd::macros_replayed();
    for (int i = 0; i < kSteps; ++i) step(i, notes);
    passes = autograd::macros_replayed() - before;
  });
  return passes;
}

// Leaves that outlive the tiers' runs are made anew for each: by step 0.
struct Leaves {
  Tensor w1, b1, w2, x, y;
  void make() {
    manual_seed(7);
    w1 = randn({4, 6}).requires_grad_();
    b1 = randn({6}).requires_grad_();
    w2 = randn({6, 3}).requires_grad_();
    x = randn({5, 4});
    y = randn({5, 3});
    swage::step();
  }
  std::vector<Tensor> all() const { return {w1, b1, w2}; }
  void note_gradients_and_drop(Notes& notes) const {
    for (const Tensor& leaf : all()) {
      if (leaf.grad().defined())
        notes(leaf.grad());
      else
        notes("no gradient");
      leaf.set_grad({});
    }
  }
};

TEST(Macro, TrainingStep) {
  Leaves l;
  const auto passes = passes_as_one([&](int i, Notes& notes) {
    if (i == 0) l.make();
    const Tensor loss = mean(square(matmul(tanh(matmul(l.x, l.w1) + l.b1), l.w2) - l.y));
    loss.backward();
    {
      const NoGradGuard no_grad;
      for (const Tensor& leaf : l.all()) {
        leaf.sub_(leaf.grad() * (0.1 / (i + 1)));
        leaf.set_grad({});
      }
    }
    swage::step();
    notes(loss);
    notes(l.w1);
  });
  EXPECT_GE(passes, 4u);
}

// Evaluated, then trained: a path that is known without a backward pass parts from the one with it where that begins.
TEST(Macro, BehindAForwardPassThatIsAlsoRunAlone) {
  for (const bool seeded : {false, true}) {
    Leaves l;
    Tensor seed;
    const auto passes = passes_as_one([&](int i, Notes& notes) {
      if (i == 0) {
        l.make();
        seed = full({}, 0.5);
      }
      const auto forward = [&] { return mean(square(matmul(tanh(matmul(l.x, l.w1) + l.b1), l.w2) - l.y)); };
      for (int k = 0; k < (i == 0 ? 6 : 1); ++k) {
        const Tensor loss = forward();
        swage::step();
        notes(loss);
      }
      const Tensor loss = forward();
      if (seeded)
        loss.backward(seed);
      else
        loss.backward();
      swage::step();
      notes(loss);
      l.note_gradients_and_drop(notes);
    });
    EXPECT_GE(passes, 4u) << seeded;
  }
}

TEST(Macro, ScalarsOfTheForwardPassAreTakenOver) {
  Leaves l;
  const auto passes = passes_as_one([&](int i, Notes& notes) {
    if (i == 0) l.make();
    const Tensor h = matmul(l.x, l.w1) * (1.5 + i) + l.b1 / (2.0 + i);
    sum(maximum(matmul(h, l.w2), 0.25 * i)).backward();
    swage::step();
    l.note_gradients_and_drop(notes);
  });
  EXPECT_GE(passes, 4u);
}

TEST(Macro, AMovingSliceStart) {
  Leaves l;
  const auto passes = passes_as_one([&](int i, Notes& notes) {
    if (i == 0) l.make();
    const Tensor part = matmul(l.x, l.w1).narrow(1, i % 3, 2), rows = l.w2.t().narrow(1, i % 4, 2);
    sum(matmul(part, rows.t())).backward();
    swage::step();
    l.note_gradients_and_drop(notes);
  });
  EXPECT_GE(passes, 4u);
}

TEST(Macro, AGivenSeed) {
  Leaves l;
  const auto passes = passes_as_one([&](int i, Notes& notes) {
    if (i == 0) l.make();
    const Tensor seed = full({5, 6}, 1.0 + i);
    const Tensor h = matmul(l.x, l.w1) + l.b1;
    h.backward(seed);
    swage::step();
    notes(seed);
    l.note_gradients_and_drop(notes);
  });
  EXPECT_GE(passes, 4u);
}

// It enters the window with the pass.
TEST(Macro, ASeedFromOutside) {
  Leaves l;
  Tensor seed;
  const auto passes = passes_as_one([&](int i, Notes& notes) {
    if (i == 0) l.make();
    if (i % 5 == 0) seed = full({5, 6}, 1.0 + i);
    swage::step();
    const Tensor h = matmul(l.x, l.w1) + l.b1;
    h.backward(seed);
    swage::step();
    l.note_gradients_and_drop(notes);
  });
  EXPECT_GE(passes, 4u);
}

// What enters where the seed did is the gradient of that pass, and nothing else is: here two tensors that are alike take turns, and one
// of them may have entered already.
TEST(Macro, ASeedLikeAnother) {
  Leaves l;
  const auto passes = passes_as_one([&](int i, Notes& notes) {
    if (i == 0) l.make();
    const Tensor seed = full({5, 6}, 1.0 + i), other = full({5, 6}, 100.0 + i);
    swage::step();
    const Tensor before = i % 4 == 3 ? other * 2 : seed.detach();
    const Tensor h = matmul(l.x, l.w1) + l.b1;
    h.backward(i % 3 == 2 ? other : seed);
    const Tensor more = other + seed;
    swage::step();
    notes(before);
    notes(more);
    l.note_gradients_and_drop(notes);
  });
  EXPECT_GE(passes, 1u);
}

// A rule that reads an operand first: the pass does not begin with the seed, and goes op by op.
TEST(Macro, ASeedThatEntersLater) {
  Leaves l;
  Tensor seed;
  passes_as_one([&](int i, Notes& notes) {
    if (i == 0) {
      l.make();
      seed = full({5, 6}, 3.0);
    }
    swage::step();
    const Tensor h = tanh(matmul(l.x, l.w1) + l.b1);
    h.backward(seed);
    swage::step();
    l.note_gradients_and_drop(notes);
  });
}

// The seed itself is written behind the pass.
TEST(Macro, ASeedThatIsWrittenLater) {
  Leaves l;
  Tensor seed;
  passes_as_one([&](int i, Notes& notes) {
    if (i == 0) {
      l.make();
      seed = full({5, 6}, 1.0);
    }
    swage::step();
    const Tensor h = matmul(l.x, l.w1) + l.b1;
    h.backward(seed);
    seed.add_(1);
    swage::step();
    notes(seed);
    l.note_gradients_and_drop(notes);
  });
}

// Two leaves share one gradient: one of them gets a copy.
TEST(Macro, GradientsThatLeavesShare) {
  const auto passes = passes_as_one([](int, Notes& notes) {
    const Tensor a = randn({3, 2}).requires_grad_(), b = randn({3, 2}).requires_grad_();
    const Tensor c = randn({2, 3}).requires_grad_();
    sum(square(a + b) + square(c.t())).backward();
    swage::step();
    const NoGradGuard no_grad;
    a.grad().add_(1.0);
    c.grad().mul_(2.0);
    swage::step();
    for (const Tensor& leaf : {a, b, c}) notes(leaf.grad());
  });
  EXPECT_GE(passes, 4u);
}

// The records of the forward pass are always the same; what the tape has of them is not.
TEST(Macro, ATapeThatDiffers) {
  Leaves l;
  const auto passes = passes_as_one([&](int i, Notes& notes) {
    if (i == 0) l.make();
    l.b1.requires_grad_(i % 3 != 2);
    Tensor h;
    {
      const GradModeGuard mode(i % 5 != 4);
      h = tanh(matmul(l.x, l.w1) + l.b1);
    }
    sum(matmul(h, l.w2)).backward();
    swage::step();
    l.note_gradients_and_drop(notes);
  });
  EXPECT_GE(passes, 1u);
}

// The gradient that a leaf has already is added to: such a pass goes op by op.
TEST(Macro, AGradientThatIsThereAlready) {
  Leaves l;
  const auto passes = passes_as_one([&](int i, Notes& notes) {
    if (i == 0) l.make();
    sum(square(matmul(l.x, l.w1) + l.b1)).backward();
    swage::step();
    if (i % 4 != 1)
      l.note_gradients_and_drop(notes);
    else
      notes(l.w1.grad());
  });
  EXPECT_GE(passes, 1u);
}

TEST(Macro, TwoPassesOverOneTape) {
  Leaves l;
  const auto passes = passes_as_one([&](int i, Notes& notes) {
    if (i == 0) l.make();
    const Tensor h = tanh(matmul(l.x, l.w1) + l.b1), loss = sum(h), other = sum(square(matmul(h, l.w2)));
    loss.backward({}, true);
    for (const Tensor& leaf : l.all()) leaf.set_grad({});
    other.backward();
    swage::step();
    l.note_gradients_and_drop(notes);
    notes.error([&] { loss.backward(); });  // freed by the second
    for (const Tensor& leaf : l.all()) leaf.set_grad({});
    swage::step();
  });
  EXPECT_GE(passes, 4u);
}

// What the pass would read was changed in the meantime: an error in every tier.
TEST(Macro, AChangedOperand) {
  Leaves l;
  const auto passes = passes_as_one([&](int i, Notes& notes) {
    if (i == 0) l.make();
    const Tensor h = matmul(l.x, l.w1), loss = sum(square(h));
    if (i % 5 == 4) {
      const NoGradGuard no_grad;
      h.add_(1.0);
    }
    notes.error([&] { loss.backward(); });
    swage::step();
    l.note_gradients_and_drop(notes);
  });
  EXPECT_GE(passes, 1u);
}

// Handles on the way keep their values and their nodes, whose tape is gone after the pass.
TEST(Macro, HandlesThatAreKept) {
  Leaves l;
  Tensor kept;
  const auto passes = passes_as_one([&](int i, Notes& notes) {
    if (i == 0) {
      l.make();
      kept = {};
    }
    const Tensor h = tanh(matmul(l.x, l.w1) + l.b1), shifted = h * 2.0;
    sum(matmul(shifted, l.w2)).backward();
    if (i % 3 == 0) kept = shifted;
    swage::step();
    l.note_gradients_and_drop(notes);
    notes(kept);
    notes.error([&] { sum(h).backward(); });
    swage::step();
  });
  EXPECT_GE(passes, 4u);
}

TEST(Macro, PickedRowsAndParts) {
  Leaves l;
  const auto passes = passes_as_one([&](int i, Notes& notes) {
    if (i == 0) l.make();
    const Tensor target = full({5}, std::int64_t{i % 6}, DType::i64);
    swage::step();  // no plan is made of a window that computes its own indices
    const Tensor scores = cat({matmul(l.x, l.w1), l.b1.expand({5, 6})}, 1);
    cross_entropy(scores, target).backward();
    swage::step();
    l.note_gradients_and_drop(notes);
  });
  EXPECT_GE(passes, 2u);
}

// The path goes on differently after the pass.
TEST(Macro, AnExitBehindThePass) {
  Leaves l;
  const auto passes = passes_as_one([&](int i, Notes& notes) {
    if (i == 0) l.make();
    const Tensor loss = mean(square(matmul(l.x, l.w1) + l.b1));
    loss.backward();
    const Tensor after = i % 4 == 3 ? exp(l.w1.grad()) : l.w1.grad() * 3.0;
    swage::step();
    notes(after);
    notes(loss);
    l.note_gradients_and_drop(notes);
  });
  EXPECT_GE(passes, 4u);
}

}  // namespace
}  // namespace swage::test
