// Batches drawn from a data set in shuffled order, epoch after epoch.
#pragma once

#include <cstdint>
#include <vector>

#include <swage/data/random.hpp>
#include <swage/tensor.hpp>

namespace swage::data {

// Where a sequence of batches stands; enough to go on with it.
struct BatchPosition {
  std::uint64_t epoch_seed = 0;  // the generator's state when the running epoch was shuffled
  std::int64_t next = 0;         // rows of the epoch that were given out
};

// Gives out row numbers of a data set of `rows` rows, `batch` at a time, each once an epoch, in an order drawn from `seed`. What is left
// at the end of an epoch and fills no batch is left out.
class Batches {
 public:
  Batches(std::int64_t rows, std::int64_t batch, std::uint64_t seed);  // ValueError unless 1 ≤ batch ≤ rows
  std::vector<std::int64_t> next();
  std::int64_t per_epoch() const { return rows_ / batch_; }

  BatchPosition position() const { return position_; }
  void set_position(BatchPosition position);

 private:
  void shuffle_epoch();

  std::int64_t rows_, batch_;
  HostRandom random_;
  BatchPosition position_;
  std::vector<std::int64_t> order_;
};

// The row numbers 0 … rows − 1 in two parts, drawn by the seed: `held_out` (rounded down to whole rows) and the rest.
struct Split {
  std::vector<std::int64_t> train, held_out;
};
Split split(std::int64_t rows, double held_out_share, std::uint64_t seed);

// A fresh tensor of the chosen rows (dimension 0), copied on the host.
Tensor take_rows(const Tensor& source, const std::vector<std::int64_t>& rows);

}  // namespace swage::data
