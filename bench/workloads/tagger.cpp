// Tags for the words of sentences by a bidirectional LSTM, written word by word. Embeddings of 128, 50 units a direction, a hidden layer of
// 32 with tanh, softmax over the tags; losses summed over the words. Adam, of the embeddings only the rows that were used. Words seen
// under five times in training share a row in `tagger`; `char_tagger` spells them: a bidirectional LSTM of 64 units a direction reads
// embeddings of 20 of their bytes, and its last states, side by side, stand for the word. --bulk N: N sentences a step.
//
// With SWAGE_DATA or --data: tags/dev.txt of WikiNER there, a tenth of it, the last, held out; else some sentences of our own.
#include <algorithm>
#include <array>
#include <cstdio>
#include <span>

#include <bench/workloads/all.hpp>
#include <bench/workloads/sentences.hpp>
#include <bench/workloads/state.hpp>
#include <bench/workloads/vocabulary.hpp>
#include <swage/swage.hpp>

namespace swage::bench {
namespace {

constexpr std::int64_t kWidth = 128, kUnits = 50, kHidden = 32;
constexpr std::int64_t kBytes = 256, kByteWidth = 20, kByteUnits = kWidth / 2;
constexpr int kRare = 5;  // words seen less often

// One direction of an LSTM, without the product of its inputs, which needs no order.
struct Direction final : nn::Module {
  Direction(std::int64_t inputs, std::int64_t units) : units(units), input(inputs, 4 * units), hidden(units, 4 * units, false) {
    register_module("input", input);
    register_module("hidden", hidden);
  }
  Tensor forward(const Tensor& x) override { return input(x); }

  using State = std::pair<Tensor, Tensor>;  // hidden, cell
  State first(const Tensor& gates) const { return of_gates(gates, {}); }
  State next(const Tensor& gates, const State& before) const {
    return of_gates(gates + linear(before.first, hidden.weight), before.second);
  }

  std::int64_t units;
  nn::Linear input, hidden;

 private:
  // input, output, forget and update gates, side by side
  State of_gates(const Tensor& all, const Tensor& before) const {
    const auto gate = [&](int k) { return all.narrow(0, k * units, units); };
    Tensor c = sigmoid(gate(0)) * tanh(gate(3));
    if (before.defined()) c = c + sigmoid(gate(2)) * before;
    return {sigmoid(gate(1)) * tanh(c), c};
  }
};

struct BiLSTM final : nn::Module {
  BiLSTM(std::int64_t inputs, std::int64_t units) : ahead(inputs, units), back(inputs, units) {
    register_module("ahead", ahead);
    register_module("back", back);
  }
  Tensor forward(const Tensor& x) override { return gates(x).first; }

  using Gates = std::pair<Tensor, Tensor>;  // ahead, back: the inputs' share
  Gates gates(const Tensor& x) { return {ahead(x), back(x)}; }
  using States = std::array<Tensor, 4>;  // ahead: hidden, cell; back: hidden, cell
  States first(const Tensor& a, const Tensor& b) const {
    const auto [ha, ca] = ahead.first(a);
    const auto [hb, cb] = back.first(b);
    return {ha, ca, hb, cb};
  }
  States next(const Tensor& a, const Tensor& b, const States& before) const {
    const auto [ha, ca] = ahead.next(a, {before[0], before[1]});
    const auto [hb, cb] = back.next(b, {before[2], before[3]});
    return {ha, ca, hb, cb};
  }

  Direction ahead, back;
};

struct Model final : nn::Module {
  Model(std::int64_t words, std::int64_t tags) : words(words, kWidth, true), output(kHidden, tags) {
    register_module("words", this->words);
    register_module("bytes", bytes);
    register_module("speller", speller);
    register_module("reader", reader);
    register_module("hidden", hidden);
    register_module("output", output);
  }
  Tensor forward(const Tensor& states) override { return output(tanh(hidden(states))); }

  nn::Embedding words, bytes{kBytes, kByteWidth, true};
  BiLSTM speller{kByteWidth, kByteUnits}, reader{kWidth, kUnits};
  nn::Linear hidden{2 * kUnits, kHidden}, output;
};

// What repeats along every sequence. In a batch scope, instances of one cell run as one. Both directions take a step in one.
auto first_cell(const BiLSTM& lstm) {
  return cell("first", [&lstm](const Tensor& a, const Tensor& b) { return lstm.first(a, b); }, {.pure = true});
}
auto next_cell(const BiLSTM& lstm) {
  const auto next = [&lstm](const Tensor& a, const Tensor& b, const Tensor& ha, const Tensor& ca, const Tensor& hb,
                            const Tensor& cb) { return lstm.next(a, b, {ha, ca, hb, cb}); };
  return cell("next", next, {.pure = true});
}

class Steps {
 public:
  explicit Steps(const BiLSTM& lstm) : first_(first_cell(lstm)), next_(next_cell(lstm)) {}

  // Element k has the states ahead of element k and those back of the k-th from the end.
  std::vector<BiLSTM::States> operator()(const std::vector<BiLSTM::Gates>& gates) {
    std::vector<BiLSTM::States> states;
    states.reserve(gates.size());
    for (std::size_t k = 0; k < gates.size(); ++k) {
      const Tensor &a = gates[k].first, &b = gates[gates.size() - 1 - k].second;
      if (k == 0) {
        states.push_back(first_(a, b));
      } else {
        const BiLSTM::States& before = states.back();
        states.push_back(next_(a, b, before[0], before[1], before[2], before[3]));
      }
    }
    return states;
  }

 private:
  decltype(first_cell(std::declval<const BiLSTM&>())) first_;
  decltype(next_cell(std::declval<const BiLSTM&>())) next_;
};

auto word_cell(Model& model) {
  return cell("word", [&model](const Tensor& word) { return model.reader.gates(model.words(word)); }, {.pure = true});
}
auto byte_cell(Model& model) {
  return cell("byte", [&model](const Tensor& byte) { return model.speller.gates(model.bytes(byte)); }, {.pure = true});
}
auto spelled_cell(Model& model) {
  const auto spelled = [&model](const Tensor& ahead, const Tensor& back) { return model.reader.gates(cat({ahead, back}, 0)); };
  return cell("spelled", spelled, {.pure = true});
}
auto loss_cell(Model& model) {
  const auto loss = [&model](const Tensor& ahead, const Tensor& back, const Tensor& tag) {
    const Tensor logits = model(cat({ahead, back}, 0));
    return cross_entropy(logits.reshape({1, logits.numel()}), tag.reshape({1}));
  };
  return cell("loss", loss, {.pure = true});
}

struct Word {
  std::int32_t number = 0, tag = 0;
  std::string spelled;  // empty for those that have a row
};
using Words = std::vector<Word>;

struct Data {
  std::vector<Words> train, held_out;
  std::int64_t words = 0, tags = 0;
};

Data load(const WorkloadOptions& options, bool spells) {
  const auto given = options.public_data();
  if (given.empty() && !options.rehearsal)
    std::fputs("tagger: no SWAGE_DATA and no --data; some sentences of its own\n", stderr);
  const std::vector<Sentence> all = given.empty() ? read_tagged(WorkloadOptions::default_data_folder() / "sentences.txt")
                                                  : read_tagged(given / "tags" / "dev.txt");
  const std::size_t n_train = all.size() - all.size() / 10;
  std::unordered_map<std::string, int> seen;
  for (std::size_t i = 0; i < n_train; ++i)
    for (const std::string& word : all[i].words) ++seen[word];
  Vocabulary vocabulary, tags;
  Data data;
  for (std::size_t i = 0; i < all.size(); ++i) {
    Words words;
    for (std::size_t k = 0; k < all[i].words.size(); ++k) {
      const std::string& word = all[i].words[k];
      const auto found = seen.find(word);
      const bool rare = found == seen.end() || found->second < kRare;
      words.push_back({rare ? 0 : vocabulary.number_of(word), tags.number_of(all[i].tags[k]) - 1, rare && spells ? word : ""});
    }
    (i < n_train ? data.train : data.held_out).push_back(std::move(words));
  }
  data.words = vocabulary.size();
  data.tags = tags.size() - 1;
  if (data.held_out.empty()) data.held_out = data.train;
  return data;
}

class Tagger final : public Workload {
 public:
  Tagger(const WorkloadOptions& options, bool spells)
      : data_(load(options, spells)),
        model_(data_.words, data_.tags),
        optimizer_(model_.parameters(), {.lr = 1e-3}),
        batches_(static_cast<std::int64_t>(data_.train.size()),
                 std::min(options.bulk, static_cast<std::int64_t>(data_.train.size())), options.seed) {}

  StepOutputs step() override {
    words_ = 0;
    const Tensor total = batch([&] {
      std::vector<Tensor> losses;
      for (const std::int64_t i : batches_.next()) {
        const Words& words = data_.train[static_cast<std::size_t>(i)];
        const std::vector<BiLSTM::States> states = states_of(words);
        for (std::size_t k = 0; k < words.size(); ++k)
          losses.push_back(loss_(states[k][0], states[words.size() - 1 - k][2], words[k].tag));
        words_ += static_cast<std::int64_t>(words.size());
      }
      return sum_of(losses);
    });
    total.backward();
    optimizer_.step();
    return {.loss = total, .outputs = {}};
  }
  std::int64_t units_per_step() const override { return words_; }

  WorkloadState state() override {
    WorkloadState state;
    add_state(state, model_);
    add_state(state, optimizer_);
    add_state(state, batches_);
    return state;
  }
  void load_state(const WorkloadState& state) override {
    bench::load_state(state, model_);
    bench::load_state(state, optimizer_);
    bench::load_state(state, batches_);
  }

  // Of words that were held out.
  std::map<std::string, double> figures() override {
    std::int64_t right = 0, all = 0;
    constexpr std::size_t kTogether = 64;
    const NoGradGuard no_grad;
    const std::span<const Words> held_out = data_.held_out;
    for (std::size_t first = 0; first < held_out.size(); first += kTogether) {
      const auto sentences = held_out.subspan(first, std::min(kTogether, held_out.size() - first));
      std::vector<Tensor> guesses;
      batch([&] {
        for (const Words& words : sentences) {
          const std::vector<BiLSTM::States> states = states_of(words);
          for (std::size_t k = 0; k < words.size(); ++k)
            guesses.push_back(argmax(model_(cat({states[k][0], states[words.size() - 1 - k][2]}, 0)), 0));
        }
      });
      auto guess = guesses.begin();
      for (const Words& words : sentences)
        for (const Word& word : words) right += (guess++)->item<std::int64_t>() == word.tag;
      all += static_cast<std::int64_t>(guesses.size());
    }
    return {{"accuracy", static_cast<double>(right) / static_cast<double>(all)}};
  }

 private:
  std::vector<BiLSTM::States> states_of(const Words& words) {
    std::vector<BiLSTM::Gates> gates;
    gates.reserve(words.size());
    for (const Word& word : words) gates.push_back(word.spelled.empty() ? word_(word.number) : spell(word.spelled));
    return read_(gates);
  }
  BiLSTM::Gates spell(const std::string& word) {
    std::vector<BiLSTM::Gates> gates;
    for (const char byte : word) gates.push_back(byte_(static_cast<std::int64_t>(static_cast<unsigned char>(byte))));
    const BiLSTM::States last = spell_(gates).back();
    return spelled_(last[0], last[2]);
  }

  Data data_;
  Model model_;
  optim::Adam optimizer_;
  data::Batches batches_;
  std::int64_t words_ = 0;  // of the latest step
  Steps spell_{model_.speller}, read_{model_.reader};
  decltype(byte_cell(model_)) byte_ = byte_cell(model_);
  decltype(word_cell(model_)) word_ = word_cell(model_);
  decltype(spelled_cell(model_)) spelled_ = spelled_cell(model_);
  decltype(loss_cell(model_)) loss_ = loss_cell(model_);
};

}  // namespace

std::unique_ptr<Workload> make_tagger(const WorkloadOptions& options) { return std::make_unique<Tagger>(options, false); }
std::unique_ptr<Workload> make_char_tagger(const WorkloadOptions& options) { return std::make_unique<Tagger>(options, true); }

}  // namespace swage::bench
