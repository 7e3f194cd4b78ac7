// What programs with trees and growth work on: parameters, cells, a network, and the optimizers of both.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include <swage/swage.hpp>

namespace swage::fuzz {

struct Structures {
  using LeafBody = std::function<Tensor(const Tensor&)>;
  using NodeBody = std::function<std::pair<Tensor, Tensor>(const Tensor&, const Tensor&)>;
  using NodeLossBody = std::function<Tensor(const Tensor&, const Tensor&)>;

  explicit Structures(std::uint64_t traits);  // bits: which cells are pure, whether the table's gradient is kept as rows, …
  Structures(const Structures&) = delete;     // cells capture it
  Structures& operator=(const Structures&) = delete;
  std::vector<Tensor> tensors() const;

  Tensor table, wide, narrow, bias, head;
  NamedCell<LeafBody> leaf;
  NamedCell<NodeBody> node;
  NamedCell<NodeLossBody> loss;
  nn::Sequential net;
  std::unique_ptr<optim::Optimizer> of_trees, of_net;
};

}  // namespace swage::fuzz
