#include <bench/workloads/digits.hpp>

#include <bench/workloads/all.hpp>
#include <bench/workloads/conv_model.hpp>
#include <bench/workloads/state.hpp>
#include <swage/swage.hpp>

namespace swage::bench {
namespace {

constexpr std::int64_t kBatch = 32, kLargestBatch = 64;  // batches of random size are 1 … 64
constexpr std::int64_t kSchedule = 600;  // steps from the peak of the learning rate to zero; then it starts again
constexpr double kPeak = 0.1;

data::Digits rows_of(const data::Digits& digits, const std::vector<std::int64_t>& rows) {
  return {data::take_rows(digits.images, rows), data::take_rows(digits.labels, rows)};
}

}  // namespace

Digits::Parts Digits::load(const WorkloadOptions& options) {
  const data::Digits digits = data::load_digits((options.data / "digits.csv.gz").string());
  const data::Split rows = data::split(digits.labels.size(0), 0.2, options.seed);
  return {.train = rows_of(digits, rows.train), .held_out = rows_of(digits, rows.held_out)};
}

Digits::Digits(const WorkloadOptions& options)
    : parts_(load(options)),
      model_(conv_model(1)),
      optimizer_(model_.parameters(), {.lr = kPeak, .momentum = 0.9, .weight_decay = 1e-4}),
      batches_(parts_.train.labels.size(0), options.random_batches ? kLargestBatch : kBatch, options.seed),
      shifts_(options.seed + 1),
      sizes_(options.seed + 2),
      random_sizes_(options.random_batches),
      batch_(kBatch) {}

StepOutputs Digits::step() {
  std::vector<std::int64_t> rows = batches_.next();
  if (random_sizes_) rows.resize(1 + sizes_.below(kLargestBatch));
  batch_ = static_cast<std::int64_t>(rows.size());
  Tensor images = data::shifted(data::take_rows(parts_.train.images, rows), 1, shifts_);
  batch_labels_ = data::take_rows(parts_.train.labels, rows);
  optimizer_.set_lr(optim::cosine_lr(optimizer_.steps() % kSchedule, kSchedule, kPeak));

  Tensor logits = model_(images);
  Tensor loss = cross_entropy(logits, batch_labels_);
  loss.backward();
  optimizer_.step();
  return {.loss = loss, .outputs = {logits}};
}

std::int64_t Digits::units_per_step() const { return batch_; }

WorkloadState Digits::state() {
  WorkloadState state;
  add_state(state, model_);
  add_state(state, optimizer_);
  add_state(state, batches_);
  state.words.emplace_back("shifts", shifts_.state());
  state.words.emplace_back("sizes", sizes_.state());
  return state;
}

void Digits::load_state(const WorkloadState& state) {
  bench::load_state(state, model_);
  bench::load_state(state, optimizer_);
  bench::load_state(state, batches_);
  shifts_.set_state(word(state, "shifts"));
  sizes_.set_state(word(state, "sizes"));
}

std::map<std::string, double> Digits::figures() {
  const Tensor right = eq(predict(model_, parts_.held_out.images), parts_.held_out.labels).to(DType::f32);
  return {{"accuracy", mean(right).item()}};
}

Tensor predict(nn::Sequential& model, const Tensor& images) {
  model.eval();
  Tensor classes = no_grad([&] { return argmax(model(images), 1); });
  model.train();
  swage::step();
  return classes;
}

std::unique_ptr<Workload> make_digits(const WorkloadOptions& options) { return std::make_unique<Digits>(options); }

}  // namespace swage::bench
