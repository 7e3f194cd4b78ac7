// A network in the shape of what it reads: arithmetic on digits, such as ((3+4)*2), as trees. It learns to say whether the result is odd.
#include <cstdio>
#include <random>

#include <dynamic.hpp>

#include <swage/swage.hpp>

namespace swage::dynamic {
namespace {

constexpr std::int64_t kWidth = 16;

struct Expression {
  int value;    // of the whole
  char op = 0;  // '+' or '*'; 0 for a digit
  std::vector<Expression> sides;
};

Expression random_expression(std::mt19937& random, int digits) {
  if (digits == 1) return {static_cast<int>(random() % 10), 0, {}};
  const int left = 1 + static_cast<int>(random() % static_cast<unsigned>(digits - 1));
  Expression made{0, random() % 2 ? '+' : '*', {random_expression(random, left), random_expression(random, digits - left)}};
  const auto [a, b] = std::pair(made.sides[0].value, made.sides[1].value);
  made.value = (made.op == '+' ? a + b : a * b) % 10;
  return made;
}

}  // namespace

void parser() {
  manual_seed(1);
  nn::Embedding digits(10, kWidth);
  nn::Linear plus{2 * kWidth, kWidth}, times{2 * kWidth, kWidth}, odd{kWidth, 2};
  std::vector<Tensor> parameters;
  for (const nn::Module* part : std::initializer_list<const nn::Module*>{&digits, &plus, &times, &odd})
    for (const Tensor& parameter : part->parameters()) parameters.push_back(parameter);
  optim::Adam adam(parameters, {.lr = 3e-3});

  auto digit = cell("digit", [&](const Tensor& number) { return digits(number); }, {.pure = true});
  auto add = cell("add", [&](const Tensor& a, const Tensor& b) { return tanh(plus(cat({a, b}, 0))); }, {.pure = true});
  auto multiply =
      cell("multiply", [&](const Tensor& a, const Tensor& b) { return tanh(times(cat({a, b}, 0))); }, {.pure = true});
  const std::function<Tensor(const Expression&)> read = [&](const Expression& e) -> Tensor {
    if (e.sides.empty()) return digit(e.value);
    const Tensor left = read(e.sides[0]), right = read(e.sides[1]);
    return e.op == '+' ? add(left, right) : multiply(left, right);
  };

  std::mt19937 random(1);
  double right = 0;
  constexpr int kSteps = 300, kTogether = 32;
  for (int step = 0; step < kSteps; ++step) {
    std::vector<Tensor> guesses;
    std::vector<int> values;
    const Tensor loss = batch([&] {
      std::vector<Tensor> losses;
      for (int i = 0; i < kTogether; ++i) {
        const Expression e = random_expression(random, 1 + static_cast<int>(random() % 5));
        const Tensor logits = odd(read(e)).reshape({1, 2});
        losses.push_back(cross_entropy(logits, tensor({e.value % 2})));
        guesses.push_back(argmax(logits));
        values.push_back(e.value);
      }
      return sum_of(losses);
    });
    loss.backward();
    adam.step();
    for (std::size_t i = 0; step >= kSteps - 20 && i < guesses.size(); ++i)
      right += guesses[i].item<int>() == values[i] % 2 ? 1.0 / (20 * kTogether) : 0;
  }
  std::printf("every expression has a tree of its own; %s of the last 640 are told right\n",
              right > 0.9 ? "over nine tenths" : "too few");
}

}  // namespace swage::dynamic
