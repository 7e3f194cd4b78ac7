#include <bench/harness/workload.hpp>

#include <algorithm>

#include <runtime/core/error.hpp>

namespace swage::bench {

OutputList::OutputList(std::initializer_list<Tensor> tensors) : size_(tensors.size()) {
  if (size_ > kMost) raise<ValueError>({}, "a step may leave {} outputs at most, not {}", kMost, size_);
  std::copy(tensors.begin(), tensors.end(), tensors_.begin());
}

}  // namespace swage::bench
