// Sentences of any length, read word by word, many at a time: no padding, no masks. Each word is tagged by whether the one before it was
// greater.
#include <cstdio>
#include <random>

#include <dynamic.hpp>

#include <swage/swage.hpp>

namespace swage::dynamic {

void tagger() {
  manual_seed(3);
  constexpr std::int64_t kWords = 8, kWidth = 24;
  nn::Embedding table(kWords, kWidth, true);
  nn::Linear input{kWidth, kWidth}, hidden{kWidth, kWidth, false}, output{kWidth, 2};
  std::vector<Tensor> parameters = table.parameters();
  for (const nn::Linear* part : {&input, &hidden, &output})
    for (const Tensor& parameter : part->parameters()) parameters.push_back(parameter);
  optim::Adam adam(parameters, {.lr = 5e-3});
  auto step =
      cell("step", [&](const Tensor& word, const Tensor& h) { return tanh(input(table(word)) + hidden(h)); }, {.pure = true});
  auto tag = cell("tag", [&](const Tensor& h) { return output(h); }, {.pure = true});

  std::mt19937 random(3);
  float first = 0, latest = 0;
  for (int i = 0; i < 200; ++i) {
    std::int64_t words = 0;
    const Tensor loss = batch([&] {
      std::vector<Tensor> losses;
      for (int sentence = 0; sentence < 16; ++sentence) {
        Tensor h = zeros({kWidth});
        std::int64_t before = 0;
        for (std::int64_t n = 2 + random() % 9; n > 0; --n, ++words) {
          const auto word = static_cast<std::int64_t>(random() % kWords);
          h = step(word, h);
          losses.push_back(cross_entropy(tag(h).reshape({1, 2}), tensor({before > word ? 1 : 0})));
          before = word;
        }
      }
      return sum_of(losses);
    });
    loss.backward();
    adam.step();
    latest = loss.item<float>() / static_cast<float>(words);
    if (i == 0) first = latest;
  }
  std::printf("loss a word: %s\n", latest < first / 4 ? "below a quarter of what it was" : "too high");
}

}  // namespace swage::dynamic
