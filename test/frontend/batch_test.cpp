// Batch scopes: what runs as one gives what runs alone, values and gradients.
#include <functional>
#include <random>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <swage/batch/run.hpp>
#include <swage/swage.hpp>
#include <test/frontend/error_of.hpp>

namespace swage {
namespace {

using test::error_of;
using testing::HasSubstr;

std::uint64_t groups_run() { return grouping::batch_stats().groups; }

void expect_near(const Tensor& a, const Tensor& b, double tolerance, const std::string& what) {
  ASSERT_EQ(a.sizes(), b.sizes()) << what;
  ASSERT_EQ(a.dtype(), b.dtype()) << what;
  const auto left = a.to(DType::f64).contiguous().to_vector<double>(),
             right = b.to(DType::f64).contiguous().to_vector<double>();
  for (std::size_t i = 0; i < left.size(); ++i) EXPECT_NEAR(left[i], right[i], tolerance) << what << " at " << i;
}

// One op or composite on a matrix of an instance's own, x (3,4), and on what all instances share: w (4,5), b (4).
struct Case {
  const char* name;
  std::function<Tensor(const Tensor& x, const Tensor& w, const Tensor& b)> f;
  std::uint64_t groups = 0;  // 0: however many
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"tanh", [](auto& x, auto&, auto&) { return tanh(x); }, 1},
      {"scalar", [](auto& x, auto&, auto&) { return 2.5 - x * 3; }, 2},
      {"same operand twice", [](auto& x, auto&, auto&) { return x * x; }, 1},
      {"shared on the right", [](auto& x, auto&, auto& b) { return x + b; }, 1},
      {"shared on the left", [](auto& x, auto&, auto& b) { return b / (square(x) + 1); }},
      {"lower rank", [](auto& x, auto&, auto&) { return x * x[0] + x.select(1, 2).unsqueeze(1); }},
      {"where", [](auto& x, auto&, auto& b) { return where(gt(x, 0), x * b, b - x); }},
      {"cast", [](auto& x, auto&, auto&) { return gt(x, 0).to(x.dtype()) * x; }},
      {"sum", [](auto& x, auto&, auto&) { return sum(x); }},
      {"sum of rows", [](auto& x, auto&, auto&) { return sum(x, 1); }, 1},
      {"mean, keepdim", [](auto& x, auto&, auto&) { return x - mean(x, 0, true); }},
      {"amax", [](auto& x, auto&, auto&) { return amax(x, {0, 1}); }, 1},
      {"argmax", [](auto& x, auto&, auto&) { return argmax(x, 1); }, 1},
      {"variance", [](auto& x, auto&, auto&) { return var(x, {1}); }},
      {"product", [](auto& x, auto& w, auto&) { return matmul(x, w); }, 1},
      {"vector times matrix", [](auto& x, auto& w, auto&) { return matmul(x[1], w); }},
      {"product of an instance's own", [](auto& x, auto&, auto&) { return matmul(x, x.t()); }},
      {"shared on the left of a product", [](auto& x, auto& w, auto&) { return matmul(w.t(), x.t()); }},
      {"batches of products", [](auto& x, auto& w, auto&) { return matmul(x.reshape({3, 1, 4}).expand({3, 2, 4}), w); }},
      {"linear", [](auto& x, auto& w, auto& b) { return linear(x, w.t(), sum(b) * w[0]); }},
      {"permute", [](auto& x, auto&, auto&) { return x.t() * 2; }},
      {"reshape", [](auto& x, auto&, auto&) { return x.t().reshape({2, 6}) + 1; }},
      {"expand", [](auto& x, auto&, auto&) { return x.unsqueeze(0).expand({2, 3, 4}) * 2; }},
      {"narrow", [](auto& x, auto&, auto&) { return x.narrow(1, 1, 2) * x.narrow(1, 2, 2); }},
      {"detach", [](auto& x, auto&, auto&) { return x.detach() * x; }},
      {"cat", [](auto& x, auto&, auto& b) { return cat({x, x * 2, b.unsqueeze(0)}, 0); }},
      {"stack", [](auto& x, auto&, auto&) { return stack({x[0], x[1]}, 1); }},
      {"softmax", [](auto& x, auto&, auto&) { return softmax(x, 1); }, 1},
      {"softmax of columns", [](auto& x, auto&, auto&) { return softmax(x, 0); }, 1},
      {"log_softmax", [](auto& x, auto&, auto&) { return log_softmax(x, 1); }},
      {"layer_norm", [](auto& x, auto&, auto& b) { return layer_norm(x, {4}, b, b); }},
      {"gelu", [](auto& x, auto&, auto&) { return gelu(x); }, 1},
      {"cross_entropy", [](auto& x, auto&, auto&) { return cross_entropy(x, argmax(x.detach() * -1, 1)); }},
      {"cross_entropy of a row", [](auto& x, auto&, auto&) { return cross_entropy(x.narrow(0, 1, 1), tensor({2})); }},
      {"cross_entropy, summed", [](auto& x, auto&, auto&) { return cross_entropy(x, tensor({0, 1, 3}), Reduction::sum); }},
      {"mse", [](auto& x, auto&, auto& b) { return mse_loss(x, b.expand({3, 4})); }},
      {"embedding", [](auto& x, auto& w, auto&) { return embedding(argmax(x.detach(), 1), w) * x[0][0]; }},
      {"gather", [](auto& x, auto&, auto&) { return gather(x, 1, tensor({{0, 3}, {1, 1}, {2, 0}})); }},
      {"gather along rows", [](auto& x, auto&, auto&) { return gather(x, 0, tensor({{2, 0, 1, 1}})); }},
      {"gather of a table", [](auto& x, auto& w, auto&) { return gather(w, 1, tensor({{0}, {1}, {2}, {4}})) * sum(x); }},
      {"scatter_add",
       [](auto& x, auto&, auto& b) { return scatter_add(b.unsqueeze(0), 0, tensor({{0, 0, 0, 0}}), x[1].unsqueeze(0)); }},
      {"convolution",
       [](auto& x, auto& w, auto&) { return conv2d(x.reshape({1, 1, 3, 4}), w.narrow(1, 0, 4).reshape({4, 1, 2, 2})); }},
      {"convolution by an instance's own",
       [](auto& x, auto& w, auto&) { return conv2d(w.reshape({1, 1, 4, 5}), x.narrow(1, 0, 2).reshape({1, 1, 3, 2})); }},
      {"batch norm, evaluated",
       [](auto& x, auto&, auto& b) { return batch_norm(x, zeros({4}, x.dtype()), ones({4}, x.dtype()), b, b); }},
      {"batch norm, training", [](auto& x, auto&, auto& b) { return batch_norm(x, {}, {}, b, b, true); }},
      {"attention", [](auto& x, auto&, auto&) { return scaled_dot_product_attention(x, x, x * 2, {.is_causal = true}); }},
      {"in place",
       [](auto& x, auto&, auto& b) {
         Tensor y = x * 2;
         y.add_(b).mul_(3).tanh_();
         return y + x;
       }},
      {"copied over",
       [](auto& x, auto&, auto& b) {
         Tensor y = x * 0;
         y.copy_(b);
         return y + x;
       }},
      {"made from nothing", [](auto& x, auto&, auto&) { return x + arange(4) * full({3, 4}, 0.5, x.dtype()); }},
      {"recurrent",
       [](auto& x, auto& w, auto& b) {
         Tensor h = zeros({5}, x.dtype());
         for (int t = 0; t < 3; ++t) h = tanh(matmul(x[t] * b, w) + h);
         return h;
       }},
  };
  return all;
}

// What an instance has of its own is no leaf: leaves are shared.
struct Inputs {
  std::vector<Tensor> x, leaves;
  Tensor w, b;
  explicit Inputs(std::size_t n) {
    manual_seed(7);
    for (std::size_t i = 0; i < n; ++i) leaves.push_back(randn({3, 4}, DType::f64).requires_grad_());
    compute();
    w = randn({4, 5}, DType::f64).requires_grad_();
    b = randn({4}, DType::f64).requires_grad_();
  }
  void compute() {
    x.clear();
    for (const Tensor& leaf : leaves) x.push_back(leaf + 0);
  }
  std::vector<Tensor> gradients() {
    std::vector<Tensor> all;
    for (const Tensor& tensor : leaves) all.push_back(tensor.grad());
    all.push_back(w.grad());
    all.push_back(b.grad());
    for (const Tensor& tensor : leaves) tensor.set_grad({});
    w.set_grad({});
    b.set_grad({});
    return all;
  }
};

class BatchCases : public testing::TestWithParam<std::size_t> {};

TEST_P(BatchCases, GiveWhatInstancesGiveAlone) {
  const Case& one = cases()[GetParam()];
  Inputs inputs(5);
  const auto run = [&](bool together) {
    std::vector<Tensor> results;
    inputs.compute();
    const auto all = [&] {
      for (const Tensor& x : inputs.x) results.push_back(one.f(x, inputs.w, inputs.b));
    };
    const std::uint64_t before = groups_run();
    together ? batch(all) : all();
    if (together && one.groups) {
      EXPECT_EQ(groups_run() - before, one.groups) << one.name;
    }
    return results;
  };
  const auto backward = [&](const std::vector<Tensor>& results) {
    Tensor total;
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (!results[i].requires_grad()) continue;
      const Tensor part = sum(square(results[i])) * static_cast<double>(i + 1);
      total = total.defined() ? total + part : part;
    }
    if (total.defined()) total.backward();
    return inputs.gradients();
  };
  const std::vector<Tensor> together = run(true), alone = run(false);
  for (std::size_t i = 0; i < alone.size(); ++i) expect_near(together[i], alone[i], 1e-12, one.name);
  EXPECT_EQ(together[0].requires_grad(), alone[0].requires_grad());
  const std::vector<Tensor> gradients = backward(together), expected = backward(alone);
  for (std::size_t k = 0; k < expected.size(); ++k) {
    ASSERT_EQ(gradients[k].defined(), expected[k].defined()) << one.name << " gradient " << k;
    if (expected[k].defined()) expect_near(gradients[k], expected[k], 1e-10, one.name);
  }
}
INSTANTIATE_TEST_SUITE_P(All, BatchCases, testing::Range(std::size_t{0}, cases().size()));

// A random binary tree's value, by plain recursion.
struct TreeModel {
  nn::Linear leaf{4, 6}, left{6, 6, false}, right{6, 6};
  std::vector<Tensor> parameters() const { return {leaf.weight, leaf.bias, left.weight, right.weight, right.bias}; }
};

template <class Leaf, class Node>
Tensor grow(std::mt19937& random, int leaves, const std::vector<Tensor>& words, Leaf& leaf, Node& node) {
  if (leaves == 1) return leaf(words[random() % words.size()]);
  const int on_the_left = 1 + static_cast<int>(random() % static_cast<unsigned>(leaves - 1));
  const Tensor l = grow(random, on_the_left, words, leaf, node);
  return node(l, grow(random, leaves - on_the_left, words, leaf, node));
}

TEST(Batch, TreesOfCellsAreTrainedAsTheyAreAlone) {
  manual_seed(3);
  TreeModel model;
  std::vector<Tensor> words;
  for (int i = 0; i < 9; ++i) words.push_back(randn({4}));
  auto leaf = cell("leaf", [&](const Tensor& word) { return tanh(model.leaf(word)); }, {.pure = true});
  auto node =
      cell("node", [&](const Tensor& l, const Tensor& r) { return tanh(model.left(l) + model.right(r)); }, {.pure = true});
  const auto losses = [&](unsigned seed) {
    std::mt19937 random(seed);
    std::vector<Tensor> all;
    for (int tree = 0; tree < 12; ++tree) all.push_back(sum(square(grow(random, 1 + tree, words, leaf, node))));
    return sum_of(all);
  };
  for (unsigned seed = 0; seed < 3; ++seed) {
    const auto run = [&] {
      const Tensor loss = batch([&] { return losses(seed); });
      loss.backward();
      std::vector<Tensor> results = {loss};
      for (const Tensor& parameter : model.parameters()) {
        results.push_back(parameter.grad());
        parameter.set_grad({});
      }
      return results;
    };
    const auto together = run();
    set_batching(false);
    const auto alone = run();
    set_batching(true);
    for (std::size_t k = 0; k < alone.size(); ++k) expect_near(together[k], alone[k], 2e-4, "tree");
  }
}

// Training on other trees at every step: the same bits eagerly and compiled, and windows that are run as a whole.
TEST(Batch, StructuresNeverSeenRunAsWholeWindowsWithTheSameBits) {
  const auto train = [](Tier tier) {
    const Tier before = swage::tier();
    set_tier(tier);
    manual_seed(5);
    TreeModel model;
    optim::Adam adam(model.parameters(), {.lr = 1e-2});
    std::vector<Tensor> words;
    for (int i = 0; i < 9; ++i) words.push_back(randn({4}));
    auto leaf = cell("leaf", [&](const Tensor& word) { return tanh(model.leaf(word)); }, {.pure = true});
    auto node =
        cell("node", [&](const Tensor& l, const Tensor& r) { return tanh(model.left(l) + model.right(r)); }, {.pure = true});
    std::mt19937 random(11);
    std::vector<float> losses;
    for (int step = 0; step < 400; ++step) {
      const Tensor loss = batch([&] { return sum(square(grow(random, 9, words, leaf, node))); });
      loss.backward();
      adam.step();
      if (step % 20 == 0) wait_for_compiler();
      losses.push_back(loss.item<float>());
    }
    set_tier(before);
    return losses;
  };
  EngineOptions options = engine_options();
  const EngineOptions before = options;
  options.weigh_cost = false;  // compile whatever is hot
  set_engine_options(options);
  const std::uint64_t whole = grouping::batch_stats().whole;
  const auto compiled = train(Tier::compiled);
  EXPECT_GT(grouping::batch_stats().whole - whole, 400u);
  set_engine_options(before);
  EXPECT_EQ(compiled, train(Tier::eager));
}

TEST(Batch, LargeGroupsAreCutIntoFewSizes) {
  EXPECT_EQ(grouping::largest_chunk(16), 16);
  EXPECT_EQ(grouping::largest_chunk(17), 16);
  EXPECT_EQ(grouping::largest_chunk(37), 32);
  EXPECT_EQ(grouping::largest_chunk(100), 96);
  EXPECT_EQ(grouping::largest_chunk(1000), 896);
  const Tensor w = randn({3}).requires_grad_();
  std::vector<Tensor> results;
  batch([&] {
    for (int i = 0; i < 1000; ++i) results.push_back(w * full({3}, static_cast<double>(i)));
  });
  for (std::size_t i = 0; i < results.size(); i += 37)
    EXPECT_EQ(results[i].to_vector<float>(), (w * static_cast<double>(i)).to_vector<float>());
  sum(stack(results, 0)).backward();
  EXPECT_EQ(w.grad().to_vector<float>(), (std::vector<float>{499500, 499500, 499500}));
}

TEST(Batch, APureCellCallsItsBodyOnce) {
  int calls = 0;
  const Tensor w = randn({3}).requires_grad_();
  auto pure = cell("pure", [&](const Tensor& x) { return ++calls, x * w; }, {.pure = true});
  auto plain = cell("plain", [&](const Tensor& x) { return ++calls, x * w; });
  const auto run = [&](auto& c) {
    calls = 0;
    std::vector<Tensor> results;
    for (int again = 0; again < 2; ++again)
      batch([&] {
        for (int i = 0; i < 4; ++i) results.push_back(c(full({3}, static_cast<double>(i))));
      });
    return results;
  };
  const auto results = run(pure);
  EXPECT_EQ(calls, 1);
  run(plain);
  EXPECT_EQ(calls, 8);
  EXPECT_EQ(results[6].to_vector<float>(), (w * 2).to_vector<float>());
}

TEST(Batch, CellsTakeNumbersAndGiveSeveralResults) {
  manual_seed(9);
  nn::Embedding table(10, 4);
  auto pair = cell("pair", [&](const Tensor& word) { return std::pair(table(word), word + 1); }, {.pure = true});
  auto three = cell("three", [&](const Tensor& x) { return std::tuple(x, x * 2, sum(x)); });
  auto many = cell("many", [&](const Tensor& x) { return std::vector<Tensor>{x[0], x[1]}; });
  batch([&] {
    const auto [row, next] = pair(3);
    const auto [same, twice, total] = three(row);
    const auto parts = many(twice);
    EXPECT_EQ(next.item<int>(), 4);  // ends the collection, and another begins
    EXPECT_EQ(same.to_vector<float>(), table.weight[3].to_vector<float>());
    EXPECT_FLOAT_EQ(static_cast<float>(parts[1].item()), 2 * static_cast<float>(table.weight[3][1].item()));
    EXPECT_EQ(pair(7).second.item<int>(), 8);
  });
}

TEST(Batch, WhatACellCapturesIsTheInstancesOwn) {
  const Tensor w = randn({3}).requires_grad_();
  std::vector<Tensor> results, expected;
  batch([&] {
    for (int i = 0; i < 4; ++i) {
      const Tensor own = full({3}, static_cast<double>(i)) * w, outside = full({3}, static_cast<double>(10 * i));
      auto each = cell("each", [&](const Tensor& x) { return x * own + outside; });
      results.push_back(each(ones({3})));
    }
  });
  for (int i = 0; i < 4; ++i)
    EXPECT_EQ(results[static_cast<std::size_t>(i)].to_vector<float>(), (w * i + 10 * i).to_vector<float>());
}

TEST(Batch, RandomNumbersOfACellAreDrawnForEachInstance) {
  const auto draw = [](bool together) {
    manual_seed(4);
    set_batching(together);
    auto noisy = cell("noisy", [](const Tensor& x) { return dropout(x, 0.5); }, {.pure = true});
    std::vector<Tensor> results;
    batch([&] {
      for (int i = 0; i < 6; ++i) results.push_back(noisy(ones({16})));
    });
    set_batching(true);
    return stack(results, 0).to_vector<float>();
  };
  const auto drawn = draw(true);
  EXPECT_EQ(drawn, draw(false));
  EXPECT_NE(std::vector<float>(drawn.begin(), drawn.begin() + 16), std::vector<float>(drawn.begin() + 16, drawn.begin() + 32));
}

TEST(Batch, AReadRunsWhatWasCollectedSoFar) {
  const Tensor w = randn({3}).requires_grad_();
  Tensor later;
  batch([&] {
    Tensor x = ones({3}) * w;
    for (int i = 0; i < 3; ++i) x = sum(x).item() > 0 ? x - w : x + w;
    later = x * 2;
  });
  sum(later).backward();
  EXPECT_EQ(w.grad().dim(), 1);
}

TEST(Batch, WritesToWhatIsOutsideKeepTheirPlace) {
  const Tensor counter = zeros({2});
  std::vector<Tensor> seen;
  batch([&] {
    for (int i = 0; i < 3; ++i) {
      seen.push_back(counter * 10);
      counter.add_(1);
    }
  });
  EXPECT_EQ(stack(seen, 0).to_vector<float>(), (std::vector<float>{0, 0, 10, 10, 20, 20}));
}

TEST(Batch, MemoryOfTheCallersIsReadWhenTheOpIsCalled) {
  std::vector<float> memory = {1, 2};
  const Tensor borrowed = borrow(memory.data(), {2}, DType::f32);
  Tensor twice;
  batch([&] {
    twice = borrowed * 2;
    memory[0] = 100;
  });
  EXPECT_EQ(twice.to_vector<float>(), (std::vector<float>{2, 4}));
}

TEST(Batch, GradientsFlowOutOfAndIntoTheScope) {
  manual_seed(6);
  const Tensor w = randn({3, 3}, DType::f64).requires_grad_();
  const auto run = [&](bool together) {
    const Tensor before = matmul(w, w);  // computed outside, and not a leaf
    std::vector<Tensor> rows;
    const auto inside = [&] {
      for (int i = 0; i < 3; ++i) rows.push_back(tanh(before[i] * w[i]));
    };
    together ? batch(inside) : inside();
    sum(exp(rows[0]) * rows[2]).backward();  // rows[1] is of no use
    Tensor gradient = w.grad();
    w.set_grad({});
    return gradient;
  };
  expect_near(run(true), run(false), 1e-12, "w");
}

TEST(Batch, ATapeIsKeptWhenAskedFor) {
  const Tensor w = ones({2}).requires_grad_();
  const Tensor loss = batch([&] { return sum(w * w) + sum(w * full({2}, 3.0)); });
  loss.backward({}, true);
  loss.backward();
  EXPECT_EQ(w.grad().to_vector<float>(), (std::vector<float>{10, 10}));
  EXPECT_THAT(error_of([&] { loss.backward(); }), HasSubstr("freed by an earlier backward"));
  std::vector<Tensor> two;
  const Tensor outside = ones({2});
  batch([&] { two = {w * outside, w + outside}; });
  sum(two[0]).backward();
  EXPECT_THAT(error_of([&] { sum(two[1]).backward(); }), HasSubstr("freed by an earlier backward"));
}

TEST(Batch, SecondOrderIsRefused) {
  const Tensor w = ones({2}).requires_grad_();
  const Tensor loss = batch([&] { return sum(square(w) * ones({2})); });
  EXPECT_THAT(error_of([&] { grad({loss}, {w}, {}, true, true); }), HasSubstr("create_graph cannot go through a batch scope"));
}

TEST(Batch, ChosenGradientsAreGiven) {
  const Tensor w = full({2}, 3.0).requires_grad_(), v = full({2}, 5.0).requires_grad_();
  const Tensor loss = batch([&] { return sum(w * v); });
  EXPECT_EQ(grad({loss}, {v})[0].to_vector<float>(), (std::vector<float>{3, 3}));
  EXPECT_FALSE(w.grad().defined());
}

TEST(Batch, WithoutGradientsThereIsNoTape) {
  const Tensor w = ones({2}).requires_grad_();
  const NoGradGuard no_grad;
  const Tensor y = batch([&] { return w * 2 + ones({2}); });
  EXPECT_FALSE(y.requires_grad());
  EXPECT_EQ(y.to_vector<float>(), (std::vector<float>{3, 3}));
}

TEST(Batch, AnExceptionDropsWhatWasCollected) {
  Tensor lost;
  EXPECT_THROW(batch([&] {
                 lost = ones({2}) + 1;
                 lost = lost + 1;
                 throw std::runtime_error("the user's");
               }),
               std::runtime_error);
  EXPECT_THAT(error_of([&] { lost.to_vector<float>(); }), HasSubstr("never computed"));
  EXPECT_EQ(batch([&] { return ones({2}) + 1; }).to_vector<float>(), (std::vector<float>{2, 2}));
}

TEST(Batch, WrongShapesAreAnErrorOfTheirLine) {
  EXPECT_THAT(error_of([&] { batch([&] { return matmul(ones({2, 3}) + 1, ones({4, 5}) + 1); }); }), HasSubstr("[matmul]"));
  const Tensor table = ones({4, 2}).requires_grad_();
  EXPECT_THAT(error_of([&] { batch([&] { return embedding(tensor({7}) + 1, table); }); }), HasSubstr("[0, 4)"));
}

TEST(Batch, BodiesOfCellsCannotReadOrWrite) {
  const Tensor outside = zeros({2});
  auto reader = cell("reader", [](const Tensor& x) { return x.numel() && sum(x).item() > 0 ? x : x * 2; });
  EXPECT_THAT(error_of([&] { batch([&] { return reader(ones({2})); }); }),
              HasSubstr("body of cell 'reader' needs the numbers"));
  auto writer = cell("writer", [&](const Tensor& x) { return outside.add_(1), x * 2; });
  EXPECT_THAT(error_of([&] { batch([&] { return writer(ones({2})); }); }), HasSubstr("body of cell 'writer' writes"));
  Tensor leaked;
  auto leaks = cell("leaks", [&](const Tensor& x) { return leaked = x * 2, x * 3; });
  EXPECT_THAT(error_of([&] { batch([&] { return leaks(ones({2})) + leaked; }); }), HasSubstr("was not returned"));
  EXPECT_THAT(error_of([&] { batch([&] { return leaks(ones({2})), leaked.fill_(9); }); }), HasSubstr("was not returned"));
}

TEST(Batch, ViewsAreNotWrittenInPlace) {
  EXPECT_THAT(error_of([&] {
                batch([&] {
                  const Tensor x = ones({3}) * 2, view = x.narrow(0, 0, 2);
                  x.add_(1);
                  return view + 1;
                });
              }),
              HasSubstr("cannot be changed in place"));
}

TEST(Batch, ScopesInsideScopesAreOne) {
  const std::uint64_t before = grouping::batch_stats().graphs;
  const Tensor x = batch([&] {
    const Tensor inner = batch([&] { return ones({2}) + 1; });
    return inner * 2;
  });
  EXPECT_EQ(grouping::batch_stats().graphs - before, 1u);
  EXPECT_EQ(x.to_vector<float>(), (std::vector<float>{4, 4}));
}

TEST(Batch, EachThreadHasScopesOfItsOwn) {
  const Tensor w = ones({3}).requires_grad_();
  std::vector<std::thread> threads;
  std::vector<float> sums(2);
  for (std::size_t t = 0; t < 2; ++t)
    threads.emplace_back([&, t] {
      for (int step = 0; step < 50; ++step) {
        const NoGradGuard no_grad;
        const Tensor total = batch([&] {
          std::vector<Tensor> parts;
          for (int i = 0; i < 5; ++i) parts.push_back(sum(w * full({3}, static_cast<double>(i))));
          return sum_of(parts);
        });
        sums[t] = total.item<float>();
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(sums, (std::vector<float>{30, 30}));
}

TEST(Batch, WhatLeadsNowhereLeavesNoGradient) {
  manual_seed(2);
  const Tensor w = randn({3, 3}, DType::f64).requires_grad_();
  auto wasteful = cell("wasteful", [&](const Tensor& x) { return static_cast<void>(log(matmul(x * 0, w))), matmul(x, w); });
  for (int pass = 0; pass < 2; ++pass) {
    const auto run = [&](bool together) {
      set_batching(together);
      std::vector<Tensor> rows;
      batch([&] {
        for (int i = 0; i < 3; ++i) rows.push_back(tanh(wasteful(full({3}, i + 1.0, DType::f64))));
        rows.push_back(log(matmul(zeros({2, 3}, DType::f64), w)));  // infinite, and of no use
      });
      set_batching(true);
      sum(rows[0] + rows[2]).backward();
      const Tensor gradient = w.grad();
      w.set_grad({});
      return gradient;
    };
    expect_near(run(true), run(false), 1e-12, "w");
  }
}

TEST(Batch, CellsOutsideOfScopesAreWindows) {
  const EngineOptions before = engine_options();
  EngineOptions options = before;
  options.weigh_cost = false;
  set_engine_options(options);
  const Tensor w = randn({8, 8});
  auto node = cell("node", [&](const Tensor& l, const Tensor& r) { return tanh(matmul(l, w) + matmul(r, w)); });
  auto leaf = cell("leaf", [&](const Tensor& x) { return tanh(matmul(x, w)); });
  const std::vector<Tensor> words = {randn({1, 8}), randn({1, 8})};
  std::mt19937 random(1);
  const auto trees = [&](int n) {
    for (int i = 0; i < n; ++i) {
      static_cast<void>(grow(random, 7, words, leaf, node));
      swage::step();
      wait_for_compiler();
    }
  };
  trees(20);
  const EngineStats learned = stats();
  trees(20);  // of other shapes
  const EngineStats now = stats();
  EXPECT_GT(static_cast<double>(now.compiled_ops - learned.compiled_ops), 0.9 * static_cast<double>(now.ops - learned.ops));
  set_engine_options(before);
}

}  // namespace
}  // namespace swage
