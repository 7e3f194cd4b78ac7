#pragma once

#include <swage/nn/module.hpp>

namespace swage::nn {

// Rows of a table by number, see swage::embedding: (…) i64 → (…,width). weight (count,width) starts standard normal.
class Embedding : public Module {
 public:
  Embedding(std::int64_t count, std::int64_t width);
  Tensor forward(const Tensor& indices) override;

  Tensor weight;
};

}  // namespace swage::nn
