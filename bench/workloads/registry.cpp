#include <array>
#include <cstdlib>
#include <filesystem>

#include <bench/workloads/all.hpp>

namespace swage::bench {
namespace {

constexpr auto kWorkloads = std::to_array<WorkloadInfo>({
    {"seed_rnn", "one step of a recurrent network on fresh numbers, forward and backward", "steps", 5000, make_seed_rnn},
    {"mlp", "784-512-512-10, ReLU, batch 64, trained by --optimizer sgd or adam", "samples", 300, make_mlp},
    {"convnet", "3 x (convolution, batch norm, ReLU) on --image 32x32x3 or 8x8x1, batch 32", "samples", 60, make_convnet},
    {"pointwise", "tanh(ab + c) exp(-d^2) on 2^LOG2 elements (--log2)", "elements", 100, make_pointwise},
    {"chain", "100 dependent additions on 16 elements", "ops", 2000, make_chain},
    {"digits", "a convolutional network trained on handwritten digits, the demo", "samples", 600, make_digits},
    {"lennard_jones", "energies and forces of a pair of atoms, gradients through gradients, Adam", "points", 500,
     make_lennard_jones},
    {"lstm_lm", "a language model: 2 x 200 LSTM, 35 steps of 20 columns, 10,000 words", "words", 20, make_lstm_lm},
    {"transformer", "a decoder of 4 blocks, width 128, context 128, batch 8, AdamW", "characters", 30, make_transformer},
    {"softmax", "over rows of 1,024, 2^LOG2 elements (--log2)", "elements", 100, make_softmax},
    {"layer_norm", "over rows of 1,024, 2^LOG2 elements (--log2)", "elements", 100, make_layer_norm},
    {"gelu", "the tanh form, 2^LOG2 elements (--log2)", "elements", 100, make_gelu},
    {"sum", "of 2^LOG2 elements (--log2)", "elements", 100, make_sum},
    {"axpy", "a + 0.1 b, 2^LOG2 elements (--log2)", "elements", 100, make_axpy},
    {"adam_update", "p, m and v of Adam, 2^LOG2 elements (--log2)", "elements", 100, make_adam_update},
    {"novel", "a fresh random graph of 20 to 60 ops with fresh extents in every step", "graphs", 2000, make_novel},
    {"varlen", "a recurrent network over sequences of 5 to 44 elements", "steps", 600, make_varlen},
    {"treelstm", "sentiment by a binary Tree-LSTM, a new tree for every sentence", "sentences", 1000, make_treelstm},
    {"tagger", "tags of words by a bidirectional LSTM, sentences of any length", "words", 1000, make_tagger},
    {"char_tagger", "likewise; a second such LSTM spells rare words by their bytes", "words", 500, make_char_tagger},
    {"rnnlm", "a language model over sentences: LSTM of 256, --batch sentences a step", "words", 50, make_rnnlm},
    {"ragged_attention", "attention over 32 sequences of lengths by Zipf's law, without padding", "tokens", 300,
     make_ragged_attention},
    {"reroute", "a random graph of convolution blocks for every sample", "samples", 1000, make_reroute},
    {"growing", "a perceptron on digits that is widened twice, gets a layer and loses it", "samples", 100'000, make_growing},
    {"agent", "learns to balance a pole by PPO, 4 x 128 steps at a time", "env_steps", 976, make_agent},
    {"drive", "a car with ray sensors learns to stay on its track while it drives", "env_steps", 25'000, make_drive},
    {"memory", "answers from the 32 nearest keys of a memory that grows", "items", 10'000, make_memory},
    {"online", "learns from a drifting stream, sample by sample (--source, --drift)", "samples", 20'000, make_online},
    {"maml", "learning to tell glyphs apart in five steps, gradients through gradients", "tasks", 100, make_maml},
    {"tree_fc", "random binary trees of 128 leaves, every node a layer; 20 trees a step", "trees", 200, make_tree_fc},
    {"moe", "4 of 10 experts for every sample, chosen by a noisy gate (--optimizer)", "samples", 300, make_moe},
    {"stochastic_depth", "six residual blocks, each skipped at random by the host", "samples", 1000, make_stochastic_depth},
});

}  // namespace

std::filesystem::path WorkloadOptions::public_data() const {
  if (data != default_data_folder()) return data;
  const char* const given = std::getenv("SWAGE_DATA");
  return given ? given : "";
}

// Where the build found the sources; else, in a tree that was moved, where they lie relative to build/bin/swage.
std::filesystem::path WorkloadOptions::default_data_folder() {
  std::error_code error;
  std::filesystem::path folder = SWAGE_BENCH_DATA;
  if (std::filesystem::is_directory(folder, error)) return folder;
  const auto binary = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? folder : binary.parent_path().parent_path().parent_path() / "bench" / "data";
}

std::span<const WorkloadInfo> workloads() { return kWorkloads; }

const WorkloadInfo* find_workload(std::string_view name) {
  for (const WorkloadInfo& info : kWorkloads)
    if (info.name == name) return &info;
  return nullptr;
}

}  // namespace swage::bench
