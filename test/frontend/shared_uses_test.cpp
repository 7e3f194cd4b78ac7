// Gradients of leaves that are used many times, which are summed by one product or sum of the rows of all uses.
#include <gtest/gtest.h>

#include <swage/autograd/macro.hpp>
#include <swage/swage.hpp>
#include <test/frontend/tiers.hpp>

namespace swage {
namespace {

double largest_difference(const Tensor& a, const Tensor& b) { return amax(abs(a - b)).item(); }

struct Cell {
  Tensor in, out, bias, matrix;  // (n,k), (k,k), (k), and (k,k) applied from the left
  explicit Cell(DType dtype = DType::f64) {
    manual_seed(3);
    in = randn({3, 5}, dtype).requires_grad_();
    out = randn({5, 5}, dtype).requires_grad_();
    bias = randn({5}, dtype).requires_grad_();
    matrix = randn({5, 5}, dtype).requires_grad_();
  }
  std::vector<Tensor> all() const { return {in, out, bias, matrix}; }
  // One matrix is multiplied by as it is, one transposed, one from the left.
  Tensor run(const Tensor& x, int steps) const {
    Tensor h = zeros({2, 5}, x.dtype());
    for (int t = 0; t < steps; ++t) {
      h = tanh(matmul(x[t], in) + matmul(h, out.t()) + bias);
      h = h + matmul(matrix, h.t()).t() * 0.1;
    }
    return sum(square(h));
  }
};

// Recorded gradients (create_graph) go use by use: they are what the joined ones are held against.
TEST(SharedUses, AreTheSumOfAllUses) {
  for (const int steps : {1, 2, 7}) {
    const Cell cell;
    const Tensor x = randn({7, 2, 3}, DType::f64);
    const auto apart = grad({cell.run(x, steps)}, cell.all(), {}, false, true);
    const auto joined = grad({cell.run(x, steps)}, cell.all());
    cell.run(x, steps).backward();
    for (std::size_t i = 0; i < apart.size(); ++i) {
      EXPECT_LT(largest_difference(joined[i], apart[i]), 1e-12) << steps << " steps, leaf " << i;
      EXPECT_EQ(largest_difference(cell.all()[i].grad(), joined[i]), 0) << steps << " steps, leaf " << i;
      EXPECT_TRUE(cell.all()[i].grad().is_contiguous());
    }
  }
}

// T uses of a linear layer make one product and one sum of rows, not T.
TEST(SharedUses, AreOneProduct) {
  nn::Linear in(16, 16), hidden(16, 16);
  const Tensor x = randn({9, 2, 16});
  std::vector<Tensor> parameters = in.parameters();
  for (const Tensor& parameter : hidden.parameters()) parameters.push_back(parameter);
  const auto ops_a_step = [&](bool apart) {
    const auto ops_of = [&](int steps) {
      Tensor h = zeros({2, 16});
      for (int t = 0; t < steps; ++t) h = tanh(in(x[t]) + hidden(h));
      const Tensor loss = sum(h);
      const auto before = stats().ops;
      grad({loss}, parameters, {}, false, apart);
      return static_cast<double>(stats().ops - before);
    };
    return (ops_of(9) - ops_of(5)) / 4;
  };
  EXPECT_LE(ops_a_step(false), ops_a_step(true) - 8);
}

// The steps of a sequence lie behind each other: they are a factor as they are. Copies of them are joined, at two ops each.
TEST(SharedUses, RowsBehindEachOtherAreNotCopied) {
  const Tensor weight = randn({5, 3}, DType::f64).requires_grad_();
  const Tensor sequence = randn({6, 2, 5}, DType::f64);
  const auto gradient = [&](auto&& part) {
    Tensor loss = sum(square(matmul(part(0), weight)));
    for (int t = 1; t < 6; ++t) loss = loss + sum(square(matmul(part(t), weight)));
    const auto before = stats().ops;
    const Tensor result = grad({loss}, {weight})[0];
    swage::step();
    return std::pair(result, stats().ops - before);
  };
  const auto [apart, more] = gradient([&](int t) { return sequence[t].clone(); });
  const auto [joined, ops] = gradient([&](int t) { return sequence[t]; });
  EXPECT_EQ(largest_difference(joined, apart), 0);
  EXPECT_LE(ops + 7, more);
  // Not in the order of use, with a gap, or of unequal height: copied.
  for (const std::vector<int>& order : {std::vector{0, 1, 3, 2, 4, 5}, {0, 0, 1, 2, 4, 5}}) {
    const auto [here, ops_here] = gradient([&](int t) { return sequence[order[static_cast<std::size_t>(t)]]; });
    const auto [there, ops_there] = gradient([&](int t) { return sequence[order[static_cast<std::size_t>(t)]].clone(); });
    EXPECT_EQ(largest_difference(here, there), 0);
    EXPECT_EQ(ops_here, ops_there);
  }
}

// Passes that are remembered: the same program on other pieces of a sequence, then on steps that lie elsewhere each.
TEST(SharedUses, AreRowsWhereTheyLieNow) {
  std::uint64_t replayed = 0;
  test::expect_same([&](test::Notes& notes) {
    manual_seed(4);
    const Tensor weight = randn({5, 3}).requires_grad_();
    const Tensor sequence = randn({40, 2, 5});
    const auto before = autograd::macros_replayed();
    for (int i = 0; i < 60; ++i) {
      Tensor loss;
      for (int t = 0; t < 6; ++t) {
        const int at = i % 3 == 2 ? (i * 7 + t * t * 5) % 40 : i % 30 + t;
        const Tensor part = sum(square(matmul(sequence.narrow(0, at, 1).reshape({2, 5}), weight)));
        loss = loss.defined() ? loss + part : part;
      }
      loss.backward();
      notes(weight.grad());
      weight.set_grad({});
      swage::step();
    }
    replayed = autograd::macros_replayed() - before;
  });
  EXPECT_GT(replayed, 10u);
}

TEST(SharedUses, AreEqualInAllTiers) {
  test::expect_same([](test::Notes& notes) {
    const Cell cell(DType::f32);
    const Tensor x = randn({7, 2, 3});
    for (int i = 0; i < 36; ++i) {
      cell.run(x, 5 + i % 3).backward();
      for (const Tensor& leaf : cell.all()) {
        notes(leaf.grad());
        if (i % 2) leaf.set_grad({});
      }
      swage::step();
    }
  });
}

// A capture in the middle of the way from a leaf to its uses, a view that is used twice, a second pass over a kept tape.
TEST(SharedUses, OtherWays) {
  const Cell cell;
  const Tensor x = randn({4, 2, 3}, DType::f64), transposed = cell.in.t();
  const auto loss = [&] {
    Tensor sum_of = zeros({}, DType::f64);
    for (int t = 0; t < 4; ++t) sum_of = sum_of + sum(square(matmul(transposed, x[t].t()))) + sum(matmul(x[t], cell.in) * 0.5);
    return sum_of;
  };
  const auto apart = grad({loss()}, {cell.in, transposed}, {}, false, true);
  const auto joined = grad({loss()}, {cell.in, transposed}, {}, true);
  for (std::size_t i = 0; i < 2; ++i) EXPECT_LT(largest_difference(joined[i], apart[i]), 1e-12) << i;
  const Tensor kept = loss();
  kept.backward({}, true);
  const Tensor once = cell.in.grad().clone();
  EXPECT_LT(largest_difference(once, apart[0]), 1e-12);
  kept.backward();
  EXPECT_LT(largest_difference(cell.in.grad(), once * 2.0), 1e-12);
}

TEST(SharedUses, ChangedOperandsAreNamed) {
  const Cell cell;
  const Tensor a = randn({2, 3}, DType::f64);
  const Tensor loss = sum(matmul(a, cell.in));
  a.mul_(2.0);
  EXPECT_THROW(loss.backward(), AutogradError);
}

}  // namespace
}  // namespace swage
