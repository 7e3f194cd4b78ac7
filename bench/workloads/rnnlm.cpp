// A language model over sentences: what comes next? Embeddings of 128, one LSTM layer of 256, softmax over all words of the training text;
// losses summed over the words. Adam, of the embeddings only the rows that were used. --batch N: N sentences a step.
//
// Sentences are sorted by length and cut into minibatches, which come in an order drawn by the seed, so those of a minibatch have nearly one
// length. The layer runs over all of its steps; what stands behind the end of a sentence is never predicted: only rows of words go on.
//
// With SWAGE_DATA or --data: text/dev.txt there, the Penn Treebank as Mikolov prepared it, as training text, and every eighth sentence of
// text/test.txt held out; else some sentences of our own, the last tenth held out.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>

#include <bench/workloads/all.hpp>
#include <bench/workloads/sentences.hpp>
#include <bench/workloads/state.hpp>
#include <bench/workloads/vocabulary.hpp>
#include <swage/swage.hpp>

namespace swage::bench {
namespace {

constexpr std::int64_t kEmbedding = 128, kUnits = 256;
constexpr std::size_t kHeldOut = 8;  // one sentence in so many

using Words = std::vector<std::int64_t>;  // numbers; the end of the sentence is one of them

struct Minibatch {
  Tensor input;   // (steps,sentences): each word's predecessor; the first comes after the end of a sentence
  Tensor rows;    // (words): which of the steps·sentences are words
  Tensor target;  // (words): they themselves
  std::int64_t words() const { return target.numel(); }
};

Minibatch minibatch_of(std::span<const Words> sentences) {
  std::size_t steps = 0;
  for (const Words& sentence : sentences) steps = std::max(steps, sentence.size());
  const std::size_t n = sentences.size();
  Words input(steps * n), rows, target;
  for (std::size_t t = 0; t < steps; ++t)
    for (std::size_t i = 0; i < n; ++i) {
      const Words& words = sentences[i];
      input[t * n + i] = t == 0 || t >= words.size() ? words.back() : words[t - 1];
      if (t >= words.size()) continue;
      rows.push_back(static_cast<std::int64_t>(t * n + i));
      target.push_back(words[t]);
    }
  const auto count = static_cast<std::int64_t>(rows.size());
  return {tensor(input, {static_cast<std::int64_t>(steps), static_cast<std::int64_t>(n)}), tensor(rows, {count}),
          tensor(target, {count})};
}

std::vector<Minibatch> minibatches_of(std::vector<Words> sentences, std::int64_t batch) {
  std::ranges::stable_sort(sentences, {}, &Words::size);
  const std::size_t n = std::min(static_cast<std::size_t>(batch), sentences.size());
  std::vector<Minibatch> all;
  for (std::size_t first = 0; first + n <= sentences.size(); first += n)
    all.push_back(minibatch_of(std::span(sentences).subspan(first, n)));
  return all;
}

struct Data {
  std::vector<Words> train, held_out;
  std::int64_t words = 0;
};

Data load(const WorkloadOptions& options) {
  std::vector<Sentence> train, held_out;
  if (const auto given = options.public_data(); !given.empty()) {
    train = read_sentences(given / "text" / "dev.txt");
    const std::vector<Sentence> all = read_sentences(given / "text" / "test.txt");
    for (std::size_t i = 0; i < all.size(); i += kHeldOut) held_out.push_back(all[i]);
  } else {
    if (!options.rehearsal) std::fputs("rnnlm: no SWAGE_DATA and no --data; some sentences of its own\n", stderr);
    train = read_tagged(WorkloadOptions::default_data_folder() / "sentences.txt");
    const auto kept = static_cast<std::ptrdiff_t>(train.size() - train.size() / 10);
    held_out.assign(train.begin() + kept, train.end());
    train.erase(train.begin() + kept, train.end());
  }
  Vocabulary vocabulary;
  const auto numbers = [&](const std::vector<Sentence>& sentences) {
    std::vector<Words> all;
    for (const Sentence& sentence : sentences) {
      Words words;
      for (const std::string& word : sentence.words) words.push_back(vocabulary.number_of(word));
      words.push_back(vocabulary.number_of("</s>"));
      all.push_back(std::move(words));
    }
    return all;
  };
  Data data;
  data.train = numbers(train);
  vocabulary.grows = false;
  const std::int64_t unknown = vocabulary.number_of("<unk>");  // the text has such a word of its own
  data.held_out = numbers(held_out);
  for (Words& words : data.held_out) std::ranges::replace(words, 0, unknown);
  data.words = vocabulary.size();
  return data;
}

struct Model final : nn::Module {
  explicit Model(std::int64_t words) : embedding(words, kEmbedding, true), output(kUnits, words) {
    register_module("embedding", embedding);
    register_module("rnn", rnn);
    register_module("output", output);
  }
  // (T,N) → (T,N,units)
  Tensor forward(const Tensor& words) override { return rnn(embedding(words)); }
  // Summed over the words.
  Tensor loss(const Minibatch& batch) {
    const Tensor states = (*this)(batch.input).reshape({batch.input.numel(), kUnits});
    return cross_entropy(output(swage::embedding(batch.rows, states)), batch.target, Reduction::sum);
  }

  nn::Embedding embedding;
  nn::LSTM rnn{kEmbedding, kUnits};
  nn::Linear output;
};

class Rnnlm final : public Workload {
 public:
  explicit Rnnlm(const WorkloadOptions& options) : Rnnlm(load(options), options) {}

  StepOutputs step() override {
    const Minibatch& batch = train_[static_cast<std::size_t>(order_.next().front())];
    const Tensor loss = model_.loss(batch);
    loss.backward();
    optimizer_.step();
    words_ = batch.words();
    return {.loss = loss, .outputs = {}};
  }
  std::int64_t units_per_step() const override { return words_; }

  WorkloadState state() override {
    WorkloadState state;
    add_state(state, model_);
    add_state(state, optimizer_);
    add_state(state, order_);
    return state;
  }
  void load_state(const WorkloadState& state) override {
    bench::load_state(state, model_);
    bench::load_state(state, optimizer_);
    bench::load_state(state, order_);
  }

  // Of the sentences that were held out.
  std::map<std::string, double> figures() override {
    const NoGradGuard no_grad;
    double loss = 0, words = 0;
    for (const Minibatch& batch : held_out_) {
      loss += model_.loss(batch).item();
      words += static_cast<double>(batch.words());
    }
    return {{"perplexity", std::exp(loss / words)}};
  }

 private:
  Rnnlm(Data data, const WorkloadOptions& options)
      : train_(minibatches_of(std::move(data.train), options.batch)),
        held_out_(minibatches_of(std::move(data.held_out), 16)),
        model_(data.words),
        optimizer_(model_.parameters(), {.lr = 1e-3}),
        order_(static_cast<std::int64_t>(train_.size()), 1, options.seed) {}

  std::vector<Minibatch> train_, held_out_;
  Model model_;
  optim::Adam optimizer_;
  data::Batches order_;     // of the minibatches
  std::int64_t words_ = 0;  // of the latest step
};

}  // namespace

std::unique_ptr<Workload> make_rnnlm(const WorkloadOptions& options) { return std::make_unique<Rnnlm>(options); }

}  // namespace swage::bench
