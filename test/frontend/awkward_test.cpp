// Programs that break weaker rules: aliases, writes, reads and errors where a compiler would rather not have them. Each gives the
// same bits eagerly, traced and compiled, and in the compiled tier plans really run.
#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>

#include <gtest/gtest.h>

#include <swage/swage.hpp>
#include <test/frontend/tiers.hpp>

namespace swage::test {
namespace {

constexpr int kRounds = 8;

TEST(Awkward, blob_refilled_after_use) {
  expect_same([](Notes& note) {
    std::array<float, 6> memory{};
    for (int round = 0; round < kRounds; ++round) {
      memory.fill(static_cast<float>(round));
      const Tensor x = from_blob(memory.data(), {2, 3}, DType::f32);
      const Tensor y = x * 2 + 1;
      memory.fill(-99);  // y is not computed yet, but x is a copy
      note(y);
      step();
    }
  });
}

TEST(Awkward, borrowed_blob_refilled_after_use) {
  expect_same(
      [](Notes& note) {
        std::array<float, 6> memory{};
        const Tensor x = borrow(memory.data(), {2, 3}, DType::f32);
        for (int round = 0; round < kRounds; ++round) {
          memory.fill(static_cast<float>(round));
          const Tensor y = x * 2 + 1;
          memory.fill(-99);
          const Tensor z = y * x;
          note(y), note(z);
          step();
        }
      },
      0);
}

TEST(Awkward, overlapping_borrowed_blobs) {
  expect_same(
      [](Notes& note) {
        std::array<float, 40> memory{};
        for (int round = 0; round < kRounds; ++round) {
          for (std::size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<float>(i) * 0.5f;
          const Tensor a = borrow(memory.data(), {32}, DType::f32), b = borrow(memory.data() + 3, {32}, DType::f32);
          a.add_(b);
          const Tensor c = a * 2;
          b.mul_(a);
          note(a), note(b), note(c);
          step();
        }
      },
      0);
}

TEST(Awkward, borrowed_memory_after_a_deferred_prefix) {
  expect_same([](Notes& note) {
    std::array<float, 4> memory{1, 2, 3, 4};
    const Tensor x = randn({4});
    for (int round = 0; round < 3 * kRounds; ++round) {
      const Tensor y = exp(x) + round;
      if (round % 3 == 2) {
        const Tensor shared = borrow(memory.data(), {4}, DType::f32);
        shared.add_(y);
        for (const float element : memory) note(std::to_string(element));
        memory.fill(0);
      }
      note(tanh(y));
      step();
    }
  });
}

TEST(Awkward, kept_data_pointer) {
  expect_same([](Notes& note) {
    const Tensor w = ones({8}), x = randn({8});
    float* kept = nullptr;
    for (int round = 0; round < 3 * kRounds; ++round) {
      if (round == kRounds) kept = w.mutable_data<float>();
      if (kept) kept[round % 8] = static_cast<float>(round);
      const Tensor y = w * x;
      if (kept) kept[0] += 1;  // y was computed from what stood there before
      w.add_(y * 0.5);
      if (kept) note(std::to_string(kept[3]));
      note(y + w);
      step();
    }
  });
}

TEST(Awkward, data_pointer_of_a_view_inside_a_window) {
  expect_same([](Notes& note) {
    const Tensor x = randn({4, 4});
    for (int round = 0; round < kRounds; ++round) {
      const Tensor y = x * 2;
      const Tensor row = y[1];
      if (round == 6) row.mutable_data<float>()[2] = 5;
      note(sum(y, 0) + row);
      step();
    }
  });
}

TEST(Awkward, locals_that_outlive_the_step) {
  expect_same([](Notes& note) {
    const Tensor x = randn({3, 5});
    std::vector<Tensor> kept;
    for (int round = 0; round < 3 * kRounds; ++round) {
      const Tensor a = x * round, b = tanh(a), c = a + b;
      const Tensor d = sum(c * c, 1);
      if (round % 4 == 3) kept.push_back(b);  // grows the mask of what escapes
      if (round == 17) kept.push_back(c.narrow(0, 1, 2));
      note(d);
      step();
    }
    for (const Tensor& each : kept) note(each);
  });
}

TEST(Awkward, index_out_of_range_after_an_in_place_update) {
  expect_same([](Notes& note) {
    const Tensor x = randn({4, 3}), w = ones({4, 3});
    Tensor index = tensor({{0}, {1}, {2}, {0}});
    for (int round = 0; round < 2 * kRounds; ++round) {
      const bool bad = round == 9 || round == 12;
      const Tensor chosen = bad ? tensor({{0}, {1}, {3}, {0}}) : index;
      const Tensor before = w * 3;
      w.add_(x);
      note.error([&] {
        const Tensor picked = gather(w, 1, chosen);
        w.mul_(2);  // not reached where the index is bad
        note(picked + rand({4, 1}));
      });
      note(w), note(before), note(rand({2}));
      step();
    }
  });
}

TEST(Awkward, error_is_raised_at_the_op_and_not_later) {
  expect_same([](Notes& note) {
    const Tensor x = randn({3, 4});
    for (int round = 0; round < 2 * kRounds; ++round) {
      const Tensor target = round == 10 ? tensor({0, 4, 1}) : tensor({0, 3, 1});
      Tensor loss;
      try {
        loss = cross_entropy(x * round, target);
        note(std::string("ok"));
      } catch (const IndexError&) {
        note(std::string("caught"));
        loss = zeros({});
      }
      note(loss + 1);
      step();
    }
  });
}

TEST(Awkward, exception_between_two_ops) {
  expect_same([](Notes& note) {
    const Tensor w = randn({4, 4}), x = randn({4, 4});
    for (int round = 0; round < 4 * kRounds; ++round) {
      try {
        const Tensor a = matmul(w, x);
        w.add_(a * 0.01);
        if (round % 7 == 6) throw std::runtime_error("the user's");
        const Tensor b = tanh(a) + w;
        w.sub_(b * 0.1);
        note(b);
      } catch (const std::runtime_error&) {
        note(std::string("thrown"));
      }
      note(w);
      step();
    }
  });
}

TEST(Awkward, wrong_shapes_between_two_ops) {
  expect_same([](Notes& note) {
    const Tensor w = randn({4, 4}), x = randn({4, 4}), wrong = randn({3, 3});
    for (int round = 0; round < 4 * kRounds; ++round) {
      const Tensor a = matmul(w, x);
      w.add_(a * 0.01);
      const Tensor& other = round % 9 == 8 ? wrong : x;
      note.error([&] { note(a + other); });
      note.error([&] { w.mul_(other); });
      note(tanh(a) + w);
      step();
    }
  });
}

TEST(Awkward, evaluation_without_no_grad) {
  expect_same([](Notes& note) {
    nn::Linear first(6, 8), second(8, 3);
    const Tensor x = randn({5, 6});
    std::vector<Tensor> kept;
    for (int round = 0; round < 2 * kRounds; ++round) {
      const Tensor y = second(tanh(first(x)) * (1 + round));
      note(argmax(y, 1));
      if (round % 5 == 0) kept.push_back(y);  // and with it the tape
      step();
    }
    for (const Tensor& y : kept) sum(y).backward();
    note(first.named_parameters()[0].second.grad());
  });
}

TEST(Awkward, moving_indices_that_may_meet) {
  expect_same([](Notes& note) {
    const Tensor a = randn({5, 7});
    for (int round = 0; round < 6 * kRounds; ++round) {
      const int i = round % 5, j = round * 3 % 4;
      a[i].add_(1);
      const Tensor b = a[j] * 2;
      a[j].mul_(b);
      const Tensor c = a[i] + b;
      note(b), note(c);
      step();
    }
    note(a);
  });
}

TEST(Awkward, moving_windows_that_overlap) {
  expect_same([](Notes& note) {
    const Tensor a = arange(0.0, 40.0) * 0.25;
    for (int round = 0; round < 6 * kRounds; ++round) {
      const Tensor left = a.narrow(0, round % 11, 20), right = a.narrow(0, round * 7 % 19, 20);
      left.add_(right);
      const Tensor c = right * 0.5;
      right.copy_(left * 0.5);
      left.sub_(c);
      step();
      note(c);
    }
    note(a);
  });
}

TEST(Awkward, moving_slice_start) {
  const TierRun run = expect_same([](Notes& note) {
    const Tensor data = randn({64, 3}), w = randn({3, 2});
    for (int round = 0; round < 4 * kRounds; ++round) {
      const Tensor batch = data.narrow(0, round * 5 % 56, 8);
      note(matmul(batch, w) + sum(batch));
      step();
    }
  });
  EXPECT_LE(run.stats.compiles + run.stats.assembled, 2u) << "a start is no part of the key";
}

TEST(Awkward, logging_line_every_tenth_step) {
  expect_same([](Notes& note) {
    const Tensor w = randn({4, 4}), x = randn({4, 4});
    for (int round = 0; round < 60; ++round) {
      const Tensor y = tanh(matmul(w, x));
      if (round % 10 == 9) note(mean(y));
      w.sub_(y * 0.01);
      step();
    }
    note(w);
  });
}

TEST(Awkward, operand_and_its_transpose) {
  expect_same([](Notes& note) {
    const auto f = [](const Tensor& a, const Tensor& b) { return (a * 2 + b) * a; };
    const Tensor x = randn({9, 9}), other = randn({9, 9});
    for (int round = 0; round < 4 * kRounds; ++round) {
      note(round % 3 ? f(x, x.t()) : f(x, other));  // one key half alike, another alias class
      x.mul_(1.01);
      step();
    }
  });
}

TEST(Awkward, same_values_given_twice_or_apart) {
  expect_same([](Notes& note) {
    const auto f = [](const Tensor& a, const Tensor& b) {
      a.add_(1);
      b.mul_(3);
      return a - b;
    };
    for (int round = 0; round < 6 * kRounds; ++round) {
      const Tensor x = full({10}, round), y = full({10}, 2 * round);
      step();
      const Tensor whole = round % 2 ? x : y;
      note(f(x, whole));
      note(x), note(y);
      const Tensor view = x.narrow(0, 2, 5);
      step();
      note(f(view, (round % 2 ? x : y).narrow(0, 0, 5)));
      note(x), note(y);
      step();
    }
  });
}

TEST(Awkward, transpose_added_in_place) {
  for (const std::int64_t n : {3, 17, 40})
    expect_same([n](Notes& note) {
      for (int round = 0; round < kRounds; ++round) {
        const Tensor a = randn({n, n});
        a.add_(a.t());
        a.narrow(0, 0, n - 1).mul_(a.narrow(0, 1, n - 1));
        note(a);
        step();
      }
      const Tensor kept = randn({n, n});
      for (int round = 0; round < kRounds; ++round) {
        kept.mul_(kept.t()).add_(0.5);
        step();
      }
      note(kept);
    });
}

TEST(Awkward, in_place_on_what_the_tape_needs) {
  expect_same([](Notes& note) {
    const Tensor w = randn({4}).requires_grad_();
    for (int round = 0; round < 4 * kRounds; ++round) {
      const Tensor a = w * 2, b = exp(a), c = a * b;
      if (round % 5 == 4) {
        const NoGradGuard no_grad;
        (round % 2 ? a : b).add_(1);
      }
      note.error([&] { sum(c).backward(); });
      note(w.grad());
      w.set_grad({});
      step();
    }
  });
}

TEST(Awkward, values_kept_across_windows) {
  expect_same([](Notes& note) {
    std::vector<Tensor> history;
    Tensor h = randn({2, 6});
    const Tensor w = randn({6, 6}) * 0.3;
    for (int round = 0; round < 4 * kRounds; ++round) {
      h = tanh(matmul(h, w));
      history.push_back(h);
      if (history.size() > 3) history.erase(history.begin());
      if (round % 2) step();
      const Tensor mixed = history.front() + history.back();
      if (round % 8 == 5) history.front().mul_(0.5);
      note(mixed);
    }
    for (const Tensor& each : history) note(each);
  });
}

TEST(Awkward, gradients_held_by_a_forgotten_handle) {
  expect_same([](Notes& note) {
    nn::Linear layer(4, 3);
    optim::SGD optimizer(layer.parameters(), {.lr = 0.1, .momentum = 0.9});
    const Tensor x = randn({8, 4});
    Tensor forgotten;
    std::vector<Tensor> all;
    for (int round = 0; round < 4 * kRounds; ++round) {
      const Tensor loss = mean(square(layer(x)));
      loss.backward();
      if (round % 6 == 5) forgotten = layer.named_parameters()[0].second.grad();
      if (round == 20) all.push_back(forgotten);
      optimizer.step();
      note(loss);
    }
    note(forgotten), note(all[0]);
    for (const Tensor& parameter : layer.parameters()) note(parameter);
  });
}

TEST(Awkward, learning_rate_schedule) {
  std::uint64_t early = 0, late = 0;
  expect_same([&](Notes& note) {
    nn::Linear layer(4, 3);
    optim::SGD optimizer(layer.parameters(), {.lr = 0.1, .momentum = 0.9, .weight_decay = 1e-3});
    const Tensor x = randn({8, 4});
    for (int round = 0; round < 60; ++round) {
      optimizer.set_lr(0.1 * std::cos(round * 0.02));
      const Tensor loss = mean(square(layer(x)));
      loss.backward();
      optimizer.step();
      if (round == 20) early = stats().misses;
    }
    late = stats().misses;
    for (const Tensor& parameter : layer.parameters()) note(parameter);
  });
  EXPECT_EQ(early, late) << "a changing number is no miss";
}

TEST(Awkward, reads_in_odd_places) {
  expect_same([](Notes& note) {
    const Tensor w = randn({4, 4}).requires_grad_();
    const Tensor x = randn({4, 4});
    for (int round = 0; round < 8 * kRounds; ++round) {
      const int odd = round % 16 / 2;
      const Tensor a = matmul(w, x);
      if (odd == 1) note(sum(a).item<double>() == 0 ? std::string("zero") : std::string("not"));
      if (odd == 2) note(a);
      const Tensor b = tanh(a);
      if (odd == 3) note(b.narrow(0, 1, 2));
      const Tensor loss = sum(b * b);
      if (odd == 4) note(loss);
      loss.backward();
      if (odd == 5) note(w.grad());
      {
        const NoGradGuard no_grad;
        w.sub_(w.grad() * 0.01);
        if (odd == 6) note(w);
        w.set_grad({});
      }
      if (odd == 7) note(b);
      step();
    }
    note(w);
  });
}

TEST(Awkward, growing_by_cat) {
  expect_same(
      [](Notes& note) {
        for (int repeat = 0; repeat < 4; ++repeat) {
          Tensor cache = zeros({0, 3});
          for (int round = 0; round < 12; ++round) {
            cache = cat({cache, full({1, 3}, round)}, 0);
            note(sum(cache * cache, 0));
            step();
          }
        }
      },
      8);
}

TEST(Awkward, empty_tensors) {
  expect_same([](Notes& note) {
    const Tensor none = zeros({0, 4}), w = randn({4, 2}), x = randn({2, 4});
    for (int round = 0; round < kRounds; ++round) {
      note(matmul(none, w)), note(sum(none)), note(sum(none, 0)), note(sum(none, 1)), note(tanh(none) * 2);
      note(matmul(zeros({3, 0}), zeros({0, 2})) + 1);
      note(cat({none, x}, 0)), note(x.narrow(0, 1, 0) + 1), note(none.t() + round);
      none.add_(1);
      note.error([&] { amax(none); });
      note.error([&] { mean(none); });
      const Tensor leaf = zeros({0, 4}).requires_grad_();
      sum(matmul(leaf, w)).backward();
      note(leaf.grad());
      const Tensor tail = x.narrow(1, 4, 0);
      tail.mul_(3);
      note(x + round);
      step();
    }
  });
}

TEST(Awkward, zero_dimensional_tensors) {
  expect_same([](Notes& note) {
    const Tensor s = full({}, 1.5);
    for (int round = 0; round < 2 * kRounds; ++round) {
      const Tensor t = s * 2 + round, v = t.reshape({1}), m = t.expand({2, 3});
      s.add_(0.25);
      note(t), note(v * s), note(m + s), note(sum(t)), note(argmax(t)), note(t.unsqueeze(0).t()), note(gt(t, s));
      v.mul_(2);  // and with it t
      note(t), note(amax(t) + sum(s));
      const Tensor leaf = full({}, 2.0).requires_grad_();
      (leaf * leaf).backward();
      note(leaf.grad());
      step();
    }
  });
}

TEST(Awkward, values_that_are_no_numbers) {
  expect_same([](Notes& note) {
    constexpr float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
    const Tensor x = tensor(std::vector<float>{nan, inf, -inf, 0.0f, -0.0f, 1e-42f, -1e38f, 1e38f, 3.0f}, {9});
    for (int round = 0; round < kRounds; ++round) {
      for (const Tensor& y :
           {x * 10, x - x, x / x, exp(x), log(x), sqrt(x), tanh(x), sigmoid(x), sin(x), relu(x), sign(x), abs(x), reciprocal(x),
            rsqrt(x), floor(x), maximum(x, 0), minimum(x, x * 2), where(gt(x, 0), x, -x)})
        note(y + 0.5);
      note(x.to(DType::i64)), note(x.to(DType::boolean)), note(eq(x, x)), note(ne(x, x)), note(x < 1);
      note(sum(x)), note(amax(x)), note(amin(x)), note(argmax(x)), note(softmax(x, 0)), note(x.to(DType::f64) * 1e300);
      step();
      note(x * full({9}, nan)), note(x * std::nan("")), note(x + (round % 2 ? inf : -inf));
      step();
    }
  });
}

TEST(Awkward, integers_at_their_limits) {
  expect_same([](Notes& note) {
    const std::int64_t least = std::numeric_limits<std::int64_t>::min(), most = std::numeric_limits<std::int64_t>::max();
    const Tensor x = tensor(std::vector<std::int64_t>{least, most, 0, -1, 1, (1ll << 53) + 1}, {6});
    for (int round = 0; round < kRounds; ++round) {
      note(x + 1), note(x * 3), note(-x), note(abs(x)), note(x - most), note(square(x)), note(x.to(DType::f32).to(DType::i64));
      note(x + most), note(maximum(x, (1ll << 53) + 1)), note(sum(x)), note(amax(x)), note(eq(x, (1ll << 53) + 1));
      note(x * 0.5), note(x.to(DType::boolean));
      step();
    }
  });
}

TEST(Awkward, handles_dropped_and_reassigned) {
  expect_same([](Notes& note) {
    const Tensor x = randn({6});
    for (int round = 0; round < 3 * kRounds; ++round) {
      Tensor a = x + 1;
      Tensor view = a.narrow(0, 1, 3);
      a = a * 2;  // the first is held by its view alone
      if (round % 4 == 1) view = {};
      a.add_(1);
      Tensor b = a;
      if (round % 4 == 2) a = {};
      b = b * x;
      if (view.defined()) view.mul_(2);
      step();
      note(b), note(view);
    }
  });
}

TEST(Awkward, draws_keep_their_place) {
  expect_same([](Notes& note) {
    const Tensor x = randn({7});
    for (int round = 0; round < 4 * kRounds; ++round) {
      const Tensor noise = randn({7});
      {
        const Tensor dropped = rand({5});
      }
      if (round % 7 == 6) note(randint(0, 10, {3}));  // leaves the path in the middle
      const Tensor y = where(gt(rand({7}), 0.5), x + noise, 0);
      if (round == 20) manual_seed(11);
      note(y), note(rand({2}));
      step();
    }
  });
}

}  // namespace
}  // namespace swage::test
