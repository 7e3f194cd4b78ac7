// Embedding, normalisation, dropout, attention and recurrent layers: values against plain loops in doubles, gradients against
// central differences, names as in PyTorch, errors.
#include <cmath>
#include <random>

#include <gtest/gtest.h>

#include <test/frontend/gradient_check.hpp>
#include <test/frontend/tiers.hpp>

namespace swage {
namespace {

using testing::check_gradients;
using testing::uneven;
using Inputs = const std::vector<Tensor>&;
using Doubles = std::vector<double>;

std::vector<std::string> names(const nn::Module& module) {
  std::vector<std::string> result;
  for (const auto& [name, tensor] : module.state_dict()) result.push_back(name);
  return result;
}

void expect_near(const Tensor& a, const Doubles& expected, double tolerance = 1e-12) {
  const auto values = a.to(DType::f64).to_vector<double>();
  ASSERT_EQ(values.size(), expected.size());
  for (std::size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], expected[i], tolerance) << i;
}

// Runs `f` and gives the text of the error that it must raise.
template <class E, class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const E& error) {
    return error.what();
  }
  ADD_FAILURE() << "nothing was raised";
  return "";
}
void expect_words(const std::string& text, std::initializer_list<const char*> words) {
  for (const char* word : words) EXPECT_NE(text.find(word), std::string::npos) << "'" << word << "' in: " << text;
}

TEST(Layers, embedding) {
  const Tensor weight = uneven({4, 3}), indices = tensor({{2, 0}, {2, 3}});
  const Tensor rows = embedding(indices, weight);
  ASSERT_EQ(rows.sizes(), (Dims{2, 2, 3}));
  const auto w = weight.to_vector<double>();
  Doubles expected;
  for (std::size_t i : {2, 0, 2, 3})
    for (std::size_t j = 0; j < 3; ++j) expected.push_back(w[i * 3 + j]);
  EXPECT_EQ(rows.to_vector<double>(), expected);
  check_gradients([=](Inputs in) { return square(embedding(indices, in[0])); }, {weight});
  check_gradients([](Inputs in) { return square(embedding(tensor({1}), in[0])); }, {weight});
  EXPECT_EQ(names(nn::Embedding(5, 2)), (std::vector<std::string>{"weight"}));
  EXPECT_EQ(nn::Embedding(5, 2)(tensor({4})).sizes(), (Dims{1, 2}));
  expect_words(error_of<IndexError>([&] { embedding(tensor({4}), weight).item(); }), {"index 4", "[0, 4)", "layers_test.cpp"});
  expect_words(error_of<DTypeError>([&] { embedding(tensor({1.0}), weight); }), {"[embedding]", "i64", "f32"});
  expect_words(error_of<ShapeError>([&] { embedding(tensor({1}), uneven({4})); }), {"[embedding]", "4", "layers_test.cpp"});
}

// Rows picked more than once add up in order of the index: the same bits whatever the number of threads and the tier.
TEST(Layers, the_gradient_of_an_embedding_is_deterministic) {
  test::expect_same([](test::Notes& note) {
    const Tensor weight = randn({50, 16}).requires_grad_(), all = randint(0, 50, {6, 8, 40});
    swage::step();  // an index that a window computes itself keeps it from being compiled
    for (int step = 0; step < 6; ++step) {
      const Tensor indices = all[step];
      sum(embedding(indices, weight) * randn({8, 40, 16})).backward();
      note(weight.grad());
      weight.set_grad({});
      swage::step();
    }
  });
}

TEST(Layers, layer_norm) {
  const Tensor x = uneven({2, 3, 4}), weight = uneven({3, 4}, 1), bias = uneven({3, 4}, 2);
  const auto in = x.to_vector<double>(), w = weight.to_vector<double>(), b = bias.to_vector<double>();
  Doubles expected;
  for (std::size_t i = 0; i < 2; ++i) {
    double mean = 0, variance = 0;
    for (std::size_t j = 0; j < 12; ++j) mean += in[i * 12 + j] / 12;
    for (std::size_t j = 0; j < 12; ++j) variance += (in[i * 12 + j] - mean) * (in[i * 12 + j] - mean) / 12;
    for (std::size_t j = 0; j < 12; ++j) expected.push_back((in[i * 12 + j] - mean) / std::sqrt(variance + 1e-5) * w[j] + b[j]);
  }
  expect_near(layer_norm(x, {3, 4}, weight, bias), expected);
  check_gradients([](Inputs in) { return layer_norm(in[0], {4}, in[1], in[2]); },
                  {uneven({2, 4}), uneven({4}, 1), uneven({4}, 2)});
  check_gradients([](Inputs in) { return layer_norm(in[0], {2, 3}); }, {uneven({2, 2, 3})});
  EXPECT_EQ(names(nn::LayerNorm(4)), (std::vector<std::string>{"weight", "bias"}));
  EXPECT_TRUE(names(nn::LayerNorm({2, 3}, {.affine = false})).empty());
  EXPECT_EQ(nn::LayerNorm({2, 3})(randn({5, 2, 3})).sizes(), (Dims{5, 2, 3}));
  expect_words(error_of<ShapeError>([&] { nn::LayerNorm{5}(x); }), {"[layer_norm]", "2×3×4", "5", "layers_test.cpp"});
}

TEST(Layers, gelu) {
  const Tensor x = tensor(Doubles{-8, -1.5, -0.1, 0, 0.3, 1, 4, 9}, {8});
  Doubles expected;
  for (double v : x.to_vector<double>())
    expected.push_back(v / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (v + 0.044715 * v * v * v))));
  expect_near(gelu(x), expected);
  check_gradients([](Inputs in) { return gelu(in[0]); }, {uneven({2, 3})});
  EXPECT_TRUE(names(nn::GELU()).empty());
}

TEST(Layers, dropout) {
  manual_seed(3);
  const Tensor x = ones({100, 100});
  const auto y = dropout(x, 0.2).to_vector<float>();
  int kept = 0;
  for (float v : y) {
    EXPECT_TRUE(v == 0 || v == 1.25f) << v;
    kept += v != 0;
  }
  EXPECT_NEAR(kept, 8000, 200);
  EXPECT_NE(dropout(x, 0.2).to_vector<float>(), y) << "every call draws anew";
  EXPECT_TRUE(dropout(x, 0).same_storage(x));
  EXPECT_TRUE(dropout(x, 0.5, false).same_storage(x));
  EXPECT_EQ(sum(abs(dropout(x, 1))).item(), 0);
  nn::Dropout module(0.5);
  EXPECT_FALSE(module(x).same_storage(x));
  module.eval();
  EXPECT_TRUE(module(x).same_storage(x));
  const Tensor w = ones({64}).requires_grad_();
  const Tensor dropped = dropout(w, 0.5);
  sum(dropped).backward();
  EXPECT_EQ(w.grad().to_vector<float>(), dropped.detach().to_vector<float>());
  expect_words(error_of<ValueError>([&] { dropout(x, 1.5); }), {"[dropout]", "1.5", "layers_test.cpp"});
  EXPECT_THROW(nn::Dropout(-0.1), ValueError);
}

TEST(Layers, products_of_batches) {
  const Tensor a = uneven({2, 1, 2, 3}), b = uneven({4, 3, 2}, 1);
  const Tensor c = matmul(a, b);
  ASSERT_EQ(c.sizes(), (Dims{2, 4, 2, 2}));
  for (std::int64_t i = 0; i < 2; ++i)
    for (std::int64_t j = 0; j < 4; ++j) EXPECT_EQ(c[i][j].to_vector<double>(), matmul(a[i][0], b[j]).to_vector<double>());
  EXPECT_EQ(matmul(uneven({4, 2, 3}), uneven({3, 5})).sizes(), (Dims{4, 2, 5}));
  EXPECT_EQ(matmul(uneven({2, 3}), uneven({4, 3, 5})).sizes(), (Dims{4, 2, 5}));
  EXPECT_EQ(matmul(uneven({3}), uneven({4, 3, 5})).sizes(), (Dims{4, 5}));
  EXPECT_EQ(matmul(uneven({4, 2, 3}), uneven({3})).sizes(), (Dims{4, 2}));
  check_gradients([](Inputs in) { return matmul(in[0], in[1]); }, {uneven({2, 2, 3}), uneven({3, 2}, 1)});
  check_gradients([](Inputs in) { return matmul(in[0], in[1]); }, {uneven({3}), uneven({2, 3, 2}, 1)});
  expect_words(error_of<ShapeError>([] { matmul(uneven({2, 2, 3}), uneven({3, 3, 4})); }),
               {"[matmul]", "2×2×3", "3×3×4", "layers_test.cpp"});
  expect_words(error_of<ShapeError>([] { matmul(uneven({2, 2, 3}), uneven({2, 4, 4})); }), {"[matmul]", "must have 3 rows"});
}

// One head in doubles.
Doubles attention_by_hand(const Tensor& query, const Tensor& key, const Tensor& value, bool causal) {
  const auto q = query.to_vector<double>(), k = key.to_vector<double>(), v = value.to_vector<double>();
  const auto l = static_cast<std::size_t>(query.size(0)), s = static_cast<std::size_t>(key.size(0));
  const auto e = static_cast<std::size_t>(query.size(1)), d = static_cast<std::size_t>(value.size(1));
  Doubles result(l * d);
  for (std::size_t i = 0; i < l; ++i) {
    Doubles weight(s);
    double total = 0;
    for (std::size_t j = 0; j < s; ++j) {
      if (causal && j > i) continue;
      double score = 0;
      for (std::size_t p = 0; p < e; ++p) score += q[i * e + p] * k[j * e + p];
      total += weight[j] = std::exp(score / std::sqrt(static_cast<double>(e)));
    }
    for (std::size_t j = 0; j < s; ++j)
      for (std::size_t p = 0; p < d; ++p) result[i * d + p] += weight[j] / total * v[j * d + p];
  }
  return result;
}

TEST(Layers, attention) {
  const Tensor query = uneven({3, 4}), key = uneven({5, 4}, 1), value = uneven({5, 2}, 2);
  expect_near(scaled_dot_product_attention(query, key, value), attention_by_hand(query, key, value, false));
  expect_near(scaled_dot_product_attention(query, key, value, {.is_causal = true}), attention_by_hand(query, key, value, true));
  const Tensor lower =
      tensor({{true, false, false, false, false}, {true, true, false, false, false}, {true, true, true, false, false}});
  EXPECT_EQ(scaled_dot_product_attention(query, key, value, {.mask = lower}).to_vector<double>(),
            scaled_dot_product_attention(query, key, value, {.is_causal = true}).to_vector<double>());
  const Tensor added = where(lower, zeros({3, 5}, DType::f64), -1e300);
  expect_near(scaled_dot_product_attention(query, key, value, {.mask = added}), attention_by_hand(query, key, value, true));
  for (bool causal : {false, true})
    check_gradients([=](Inputs in) { return scaled_dot_product_attention(in[0], in[1], in[2], {.is_causal = causal}); },
                    {uneven({2, 3, 2}), uneven({2, 3, 2}, 1), uneven({2, 3, 2}, 2)});
  expect_words(error_of<ShapeError>([&] { scaled_dot_product_attention(query, value, value); }),
               {"[scaled_dot_product_attention]", "3×4", "5×2", "layers_test.cpp"});
  EXPECT_THROW(scaled_dot_product_attention(query, key, value, {.mask = lower, .is_causal = true}), ValueError);
}

TEST(Layers, multihead_attention) {
  manual_seed(4);
  nn::MultiheadAttention attention(6, 2, {.is_causal = true});
  EXPECT_EQ(names(attention), (std::vector<std::string>{"in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"}));
  const Tensor x = randn({2, 4, 6});
  const Tensor y = attention(x);
  ASSERT_EQ(y.sizes(), (Dims{2, 4, 6}));
  // Each head by hand, from one sequence.
  const Tensor all = linear(x, attention.in_proj_weight, attention.in_proj_bias).detach().to(DType::f64)[1];
  std::vector<Tensor> heads;
  for (std::int64_t h = 0; h < 2; ++h) {
    const auto part = [&](std::int64_t k) { return all.narrow(1, k * 6 + h * 3, 3).clone(); };
    heads.push_back(tensor(attention_by_hand(part(0), part(1), part(2), true), {4, 3}));
  }
  const Tensor expected = linear(cat(heads, 1), attention.out_proj.weight.detach().to(DType::f64));
  expect_near(y[1].detach(), expected.to_vector<double>(), 1e-6);
  const auto together = attention(x, x, x).to_vector<float>(), alone = y.to_vector<float>();
  for (std::size_t i = 0; i < alone.size(); ++i) EXPECT_NEAR(together[i], alone[i], 1e-6);
  EXPECT_EQ(attention(x.narrow(1, 0, 2), x, x).sizes(), (Dims{2, 2, 6}));
  sum(y).backward();
  for (const Tensor& parameter : attention.parameters()) EXPECT_TRUE(parameter.grad().defined());
  EXPECT_THROW(nn::MultiheadAttention(6, 4), ValueError);
  expect_words(error_of<ShapeError>([&] { attention(randn({2, 4, 5})); }),
               {"[MultiheadAttention]", "2×4×5", "layers_test.cpp"});
}

// One step of the cell in doubles, on one row.
struct PlainCell {
  Doubles w_ih, w_hh, b_ih, b_hh;
  std::size_t inputs, width;
  void step(const double* x, Doubles& h, Doubles& c) const {
    Doubles gates(4 * width);
    for (std::size_t r = 0; r < gates.size(); ++r) {
      gates[r] = b_ih[r] + b_hh[r];
      for (std::size_t j = 0; j < inputs; ++j) gates[r] += w_ih[r * inputs + j] * x[j];
      for (std::size_t j = 0; j < width; ++j) gates[r] += w_hh[r * width + j] * h[j];
    }
    const auto s = [](double v) { return 1 / (1 + std::exp(-v)); };
    for (std::size_t j = 0; j < width; ++j) {
      c[j] = s(gates[width + j]) * c[j] + s(gates[j]) * std::tanh(gates[2 * width + j]);
      h[j] = s(gates[3 * width + j]) * std::tanh(c[j]);
    }
  }
};

LSTMWeights weights_of(Inputs in, std::size_t first) {
  return {.input = in[first], .hidden = in[first + 1], .input_bias = in[first + 2], .hidden_bias = in[first + 3]};
}

TEST(Layers, lstm_by_hand) {
  const std::vector<Tensor> in{uneven({3, 1, 2}),  uneven({1, 3}, 1), uneven({1, 3}, 2), uneven({12, 2}, 3),
                               uneven({12, 3}, 4), uneven({12}, 5),   uneven({12}, 6)};
  const PlainCell plain{
      in[3].to_vector<double>(), in[4].to_vector<double>(), in[5].to_vector<double>(), in[6].to_vector<double>(), 2, 3};
  Doubles h = in[1].to_vector<double>(), c = in[2].to_vector<double>(), output;
  const auto x = in[0].to_vector<double>();
  LSTMState state{in[1], in[2]};
  for (std::size_t t = 0; t < 3; ++t) {
    plain.step(x.data() + t * 2, h, c);
    output.insert(output.end(), h.begin(), h.end());
    state = lstm_cell(in[0][static_cast<std::int64_t>(t)], state, weights_of(in, 3));
    expect_near(state.hidden, h);
    expect_near(state.cell, c);
  }
  const LSTMSequence sequence = lstm_layer(in[0], {in[1], in[2]}, weights_of(in, 3));
  expect_near(sequence.output, output);
  expect_near(sequence.last.hidden, h);
  expect_near(sequence.last.cell, c);
}

TEST(Layers, lstm_gradients_twice) {
  const std::vector<Tensor> cell{uneven({2, 2}),    uneven({2, 2}, 1), uneven({2, 2}, 2), uneven({8, 2}, 3),
                                 uneven({8, 2}, 4), uneven({8}, 5),    uneven({8}, 6)};
  check_gradients(
      [](Inputs in) {
        const LSTMState next = lstm_cell(in[0], {in[1], in[2]}, weights_of(in, 3));
        return next.hidden + square(next.cell);
      },
      cell);
  std::vector<Tensor> layer = cell;
  layer[0] = uneven({3, 2, 2});
  // All that a layer gives takes part, and each alone.
  check_gradients(
      [](Inputs in) {
        const LSTMSequence sequence = lstm_layer(in[0], {in[1], in[2]}, weights_of(in, 3));
        return square(sequence.output) + sequence.last.cell * sequence.last.hidden;
      },
      layer);
  check_gradients([](Inputs in) { return lstm_layer(in[0], {in[1], in[2]}, weights_of(in, 3)).last.cell; }, layer, 1);
  const auto from_zeros = [](Inputs in) {
    return lstm_layer(in[0], {}, {.input = in[1], .hidden = in[2], .input_bias = {}, .hidden_bias = {}}).output;
  };
  check_gradients(from_zeros, {layer[0], layer[3], layer[4]});
  check_gradients(from_zeros, {uneven({1, 2, 2}), layer[3], layer[4]});
}

TEST(Layers, lstm_tape) {
  const std::vector<Tensor> in{uneven({3, 2, 2}), uneven({8, 2}, 3).requires_grad_(), uneven({8, 2}, 4).requires_grad_()};
  const auto run = [&] {
    return sum(lstm_layer(in[0], {}, {.input = in[1], .hidden = in[2], .input_bias = {}, .hidden_bias = {}}).output);
  };
  const Tensor twice = run();
  twice.backward({}, true);
  const auto once = in[1].grad().to_vector<double>();
  twice.backward();
  for (std::size_t i = 0; i < once.size(); ++i) EXPECT_DOUBLE_EQ(in[1].grad().to_vector<double>()[i], 2 * once[i]);
  EXPECT_THROW(twice.backward(), AutogradError) << "the tape is gone";
  const Tensor stale = run();
  no_grad([&] { in[2].mul_(0.5); });
  expect_words(error_of<AutogradError>([&] { stale.backward(); }), {"[lstm_layer]", "changed in place"});
  // Cuts the tape, keeps the values.
  const Tensor free = no_grad(run);
  EXPECT_FALSE(free.requires_grad());
}

TEST(Layers, lstm_modules) {
  manual_seed(5);
  nn::LSTM lstm(3, 4, {.layers = 2});
  EXPECT_EQ(names(lstm), (std::vector<std::string>{"weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0", "weight_ih_l1",
                                                   "weight_hh_l1", "bias_ih_l1", "bias_hh_l1"}));
  EXPECT_EQ(names(nn::LSTMCell(3, 4)), (std::vector<std::string>{"weight_ih", "weight_hh", "bias_ih", "bias_hh"}));
  EXPECT_EQ(names(nn::LSTMCell(3, 4, false)), (std::vector<std::string>{"weight_ih", "weight_hh"}));
  const Tensor x = randn({5, 2, 3});
  const nn::LSTM::Result whole = lstm(x, {});
  EXPECT_EQ(whole.output.sizes(), (Dims{5, 2, 4}));
  EXPECT_EQ(whole.state.hidden.sizes(), (Dims{2, 2, 4}));
  EXPECT_EQ(lstm(x).to_vector<float>(), whole.output.to_vector<float>());
  // In two parts with the state handed on, and by cells.
  const nn::LSTM::Result first = lstm(x.narrow(0, 0, 2), {});
  expect_near(lstm(x.narrow(0, 2, 3), first.state).output.detach(),
              whole.output.detach().narrow(0, 2, 3).to(DType::f64).to_vector<double>(), 1e-6);
  LSTMState state[2];
  for (std::int64_t t = 0; t < 5; ++t) {
    state[0] = lstm_cell(x[t], state[0], lstm.weights[0]);
    state[1] = lstm_cell(state[0].hidden, state[1], lstm.weights[1]);
    expect_near(state[1].hidden.detach(), whole.output.detach()[t].to(DType::f64).to_vector<double>(), 1e-6);
  }
  for (const Tensor& parameter : lstm.parameters())
    for (float w : parameter.detach().to_vector<float>()) EXPECT_LE(std::abs(w), 0.5f);
  // Dropout lies between the layers, in training alone.
  nn::LSTM with(3, 4, {.layers = 2, .dropout = 0.5});
  EXPECT_NE(with(x).to_vector<float>(), with(x).to_vector<float>());
  with.eval();
  EXPECT_EQ(with(x).to_vector<float>(), with(x).to_vector<float>());
  expect_words(error_of<ShapeError>([&] { lstm(randn({5, 2, 2})); }), {"[lstm_layer]", "5×2×2", "16×2", "layers_test.cpp"});
  expect_words(error_of<ShapeError>([&] { lstm(x, {randn({1, 2, 4}), {}}); }), {"[LSTM]", "2 layers", "1×2×4"});
  EXPECT_THROW(nn::LSTM(3, 4, {.layers = 0}), ValueError);
}

TEST(Layers, force_of_an_energy) {
  manual_seed(6);
  nn::Sequential net(nn::Linear(1, 3), nn::Tanh(), nn::Linear(3, 1));
  std::vector<Tensor> in{uneven({4, 1})};
  for (const Tensor& parameter : net.parameters()) in.push_back(parameter.detach().to(DType::f64));
  check_gradients(
      [](Inputs in) {
        const Tensor r = in[0] * 1.0;
        const Tensor energy = linear(tanh(linear(r, in[1], in[2])), in[3], in[4]);
        const Tensor force = -grad({sum(energy)}, {r}, {}, true, true)[0];
        return square(energy) + square(force);
      },
      in, 1);
}

// Everything together, compiled.
TEST(Layers, same_bits_in_all_tiers) {
  test::expect_same([](test::Notes& note) {
    nn::Embedding table(20, 12);
    nn::LSTM lstm(12, 8, {.layers = 2, .dropout = 0.3});
    nn::MultiheadAttention attention(8, 2, {.dropout = 0.1, .is_causal = true});
    nn::LayerNorm norm(8);
    nn::Linear head(8, 20);
    std::vector<Tensor> parameters;
    for (const nn::Module* module :
         {static_cast<nn::Module*>(&table), static_cast<nn::Module*>(&lstm), static_cast<nn::Module*>(&attention),
          static_cast<nn::Module*>(&norm), static_cast<nn::Module*>(&head)})
      for (const Tensor& parameter : module->parameters()) parameters.push_back(parameter);
    optim::AdamW optimizer(parameters, {.lr = 1e-2});
    const Tensor all = randint(0, 20, {8, 5, 3});
    swage::step();
    for (int step = 0; step < 8; ++step) {
      const Tensor tokens = all[step];
      const Tensor hidden = lstm(table(tokens));
      const Tensor mixed = gelu(norm(hidden + attention(hidden.transpose(0, 1)).transpose(0, 1)));
      const Tensor loss = cross_entropy(head(mixed).reshape({15, 20}), tokens.reshape({15}));
      loss.backward();
      const Tensor norm_before = optim::clip_grad_norm_(parameters, 0.25);
      optimizer.step();
      note(loss);
      note(norm_before);
    }
    for (const Tensor& parameter : parameters) note(parameter);
  });
}

}  // namespace
}  // namespace swage
