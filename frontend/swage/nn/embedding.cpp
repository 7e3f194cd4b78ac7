#include <swage/nn/embedding.hpp>

#include <swage/autograd/row_gradients.hpp>
#include <swage/creation.hpp>
#include <swage/functional.hpp>

namespace swage::nn {

Embedding::Embedding(std::int64_t count, std::int64_t width, bool sparse) : Module(Library{}), weight(randn({count, width})) {
  register_parameter("weight", weight);
  if (sparse) autograd::keep_rows(weight);
}

Tensor Embedding::forward(const Tensor& indices) { return embedding(indices, weight); }

}  // namespace swage::nn
