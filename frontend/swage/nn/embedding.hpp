#pragma once

#include <swage/nn/module.hpp>

namespace swage::nn {

// Rows of a table by number, see swage::embedding: (…) i64 → (…,width). weight (count,width) starts standard normal.
// With `sparse` its gradient is kept as the rows that were used, and an optimizer that knows how updates no others.
class Embedding : public Module {
 public:
  Embedding(std::int64_t count, std::int64_t width, bool sparse = false);
  Tensor forward(const Tensor& indices) override;

  Tensor weight;
};

}  // namespace swage::nn
