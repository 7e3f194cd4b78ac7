// What never repeats: each step runs a fresh random graph of 20 to 60 ops on matrices of fresh extents. Nothing here can be compiled in
// time; it must not cost more than running it eagerly. The warm-up draws other graphs than the run that is measured.
//
// A graph starts from a few matrices cut out of a pool of numbers and then takes, op after op, one or two of the values made so far.
// Values stay between −1 and 1 or a few times that, so that nothing overflows.
#include <array>

#include <bench/workloads/all.hpp>
#include <bench/workloads/state.hpp>
#include <swage/swage.hpp>

namespace swage::bench {
namespace {

constexpr std::int64_t kMostRows = 96, kMostColumns = 192;

class Novel final : public Workload {
 public:
  explicit Novel(const WorkloadOptions& options) : random_(options.rehearsal ? ~options.seed : options.seed) {}

  StepOutputs step() override {
    rows_ = 1 + below(kMostRows);
    columns_ = 1 + below(kMostColumns);
    values_.clear();
    for (int i = 0; i < 3; ++i) values_.push_back(fresh(rows_, columns_));
    left_ = 20 + below(41);
    while (left_ > 0) values_.push_back(next());
    Tensor last = values_.back(), all = mean(last);
    values_.clear();
    swage::step();
    return {.loss = {}, .outputs = {last, all}};
  }
  std::int64_t units_per_step() const override { return 1; }

  WorkloadState state() override { return {.tensors = {}, .words = {{"random", random_.state()}}}; }
  void load_state(const WorkloadState& state) override { random_.set_state(word(state, "random")); }

 private:
  std::int64_t below(std::int64_t bound) { return static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(bound))); }

  // A matrix somewhere in the pool.
  Tensor fresh(std::int64_t rows, std::int64_t columns) {
    return pool_.narrow(0, below(pool_.numel() - rows * columns), rows * columns).reshape({rows, columns});
  }
  const Tensor& any() { return values_[static_cast<std::size_t>(below(static_cast<std::int64_t>(values_.size())))]; }

  // One more (rows,columns) value.
  Tensor next() {
    constexpr std::array<std::int64_t, 14> kOps = {1, 1, 1, 3, 2, 2, 4, 3, 2, 3, 3, 7, 5, 6};
    const std::int64_t kind = below(kOps.size());
    left_ -= kOps[static_cast<std::size_t>(kind)];
    const Tensor &a = any(), &b = any();
    switch (kind) {
      case 0: return tanh(a);
      case 1: return sigmoid(a);
      case 2: return relu(a);
      case 3: return exp(-square(a));
      case 4: return a * tanh(b);
      case 5: return (a + b) * 0.5;
      case 6: return maximum(a, b) - minimum(a, b) * 0.5;
      case 7: return where(a > b, a, -b);
      case 8: return a * fresh(rows_, 1);
      case 9: return tanh(a + fresh(1, columns_));
      case 10: return a - mean(a, 1, true);
      case 11: return softmax(a, 1) + a * 0.5;
      case 12: return sin(a) * sum(square(b), 0, true) * (1.0 / kMostRows);
      default: {
        const std::int64_t inner = 1 + below(64);
        const Tensor by = fresh(columns_, inner), back = fresh(inner, columns_);
        return tanh(matmul(matmul(a, by), back) * 1e-2);
      }
    }
  }

  data::HostRandom random_;
  Tensor pool_ = rand({1 << 17}) * 2.0 - 1.0;
  std::int64_t rows_ = 0, columns_ = 0, left_ = 0;
  std::vector<Tensor> values_;
};

}  // namespace

std::unique_ptr<Workload> make_novel(const WorkloadOptions& options) { return std::make_unique<Novel>(options); }

}  // namespace swage::bench
