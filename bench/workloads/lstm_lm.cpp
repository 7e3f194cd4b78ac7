// A word-level language model: what comes next?
//
// Embedding of 10,000 words in 200 – dropout 0.2 – two LSTM layers of 200 with dropout 0.2 between them – dropout 0.2 – linear to
// 10,000. 35 steps on 20 columns of text, the state zero at the start of each; cross-entropy over all 700 words; gradients clipped to a
// norm of 0.25; SGD with lr 20. (--size small: width 16, 5 steps, 2 columns.)
//
// Everything is drawn from the seed, restarted once the model stands, in this order: encoder.weight within ±0.1; weight_ih, weight_hh,
// bias_ih and bias_hh of each layer within ±1/√200; decoder.weight within ±0.1 (its bias is 0); then, without --data, the text:
// randint(10,000) of shape (16·35 + 1,20). Batch k is rows 35·k to 35·k + 34 and its targets are one row further; after the last comes the
// first. A step draws three dropout masks in the order of the layers: rand of the activations' shape, zero where below 0.2.
//
// With --data FOLDER the text is FOLDER/ptb.train.txt, the Penn Treebank as Mikolov prepared it: words numbered in order of their first
// appearance, a line's end a word too, cut into 20 equal columns.
#include <cmath>
#include <fstream>
#include <sstream>
#include <unordered_map>

#include <bench/workloads/all.hpp>
#include <bench/workloads/state.hpp>
#include <swage/nn/init.hpp>
#include <swage/swage.hpp>

namespace swage::bench {
namespace {

constexpr std::int64_t kWords = 10'000;
constexpr std::int64_t kBatches = 16;  // of made-up text

struct Sizes {
  std::int64_t width, steps, columns;
};
Sizes sizes_of(const WorkloadOptions& options) {
  return options.small() ? Sizes{.width = 16, .steps = 5, .columns = 2} : Sizes{.width = 200, .steps = 35, .columns = 20};
}

struct Model final : nn::Module {
  Model(std::int64_t width, std::uint64_t seed)
      : encoder(kWords, width), rnn(width, width, {.layers = 2, .dropout = 0.2}), decoder(width, kWords) {
    register_module("encoder", encoder);
    register_module("rnn", rnn);
    register_module("decoder", decoder);
    manual_seed(seed);
    NoGradGuard no_grad;
    encoder.weight.uniform_(-0.1, 0.1);
    for (const Tensor& parameter : rnn.parameters()) nn::init::uniform_(parameter, 1 / std::sqrt(static_cast<double>(width)));
    decoder.weight.uniform_(-0.1, 0.1);
    decoder.bias.zero_();
  }
  // (T,N) → (T,N,words)
  Tensor forward(const Tensor& words) override { return decoder(dropout(rnn(dropout(encoder(words), 0.2)), 0.2)); }

  nn::Embedding encoder;
  nn::LSTM rnn;
  nn::Linear decoder;
};

Tensor read_text(const std::filesystem::path& file, std::int64_t columns) {
  std::ifstream in(file);
  if (!in)
    raise<IoError>({}, "{} cannot be read; lstm_lm --data wants the folder of the Penn Treebank's ptb.train.txt",
                   file.string());
  std::unordered_map<std::string, std::int64_t> numbers;
  std::vector<std::int64_t> text;
  std::string line, word;
  const auto note = [&] { text.push_back(numbers.try_emplace(word, static_cast<std::int64_t>(numbers.size())).first->second); };
  while (std::getline(in, line)) {
    std::istringstream words(line);
    while (words >> word) note();
    word = "<eos>";
    note();
  }
  const auto rows = static_cast<std::int64_t>(text.size()) / columns;
  if (numbers.size() > kWords)
    raise<ValueError>({}, "{} has {} different words, more than {}", file.string(), numbers.size(), kWords);
  text.resize(static_cast<std::size_t>(rows * columns));
  return tensor(text, {columns, rows}).t().contiguous();
}

class LstmLm final : public Workload {
 public:
  explicit LstmLm(const WorkloadOptions& options) : sizes_(sizes_of(options)), model_(sizes_.width, options.seed) {
    text_ = options.data == WorkloadOptions::default_data_folder()
                ? randint(0, kWords, {kBatches * sizes_.steps + 1, sizes_.columns})
                : read_text(options.data / "ptb.train.txt", sizes_.columns);
    batches_ = (text_.size(0) - 1) / sizes_.steps;
    if (batches_ < 1) raise<ValueError>({}, "a text of {} words is too short for a batch", text_.numel());
  }

  StepOutputs step() override {
    const std::int64_t start = next_ * sizes_.steps;
    next_ = (next_ + 1) % batches_;
    const std::int64_t words = sizes_.steps * sizes_.columns;
    const Tensor input = text_.narrow(0, start, sizes_.steps), target = text_.narrow(0, start + 1, sizes_.steps);

    Tensor logits = model_(input);
    Tensor loss = cross_entropy(logits.reshape({words, kWords}), target.reshape({words}));
    loss.backward();
    Tensor norm = optim::clip_grad_norm_(optimizer_.parameters(), 0.25);
    optimizer_.step();
    return {.loss = loss, .outputs = {norm}};
  }
  std::int64_t units_per_step() const override { return sizes_.steps * sizes_.columns; }

  WorkloadState state() override {
    WorkloadState state;
    add_state(state, model_);
    add_state(state, optimizer_);
    state.words.emplace_back("next", static_cast<std::uint64_t>(next_));
    return state;
  }
  void load_state(const WorkloadState& state) override {
    bench::load_state(state, model_);
    bench::load_state(state, optimizer_);
    next_ = static_cast<std::int64_t>(word(state, "next")) % batches_;
  }

 private:
  Sizes sizes_;
  Model model_;
  optim::SGD optimizer_{model_.parameters(), {.lr = 20}};
  Tensor text_;
  std::int64_t batches_ = 0, next_ = 0;
};

}  // namespace

std::unique_ptr<Workload> make_lstm_lm(const WorkloadOptions& options) { return std::make_unique<LstmLm>(options); }

}  // namespace swage::bench
