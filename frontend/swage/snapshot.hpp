// What tensors hold now, for other threads to read while the program goes on writing them.
//
//   // training                                            // serving
//   optimizer.step();                                      auto weights = published.load();
//   published.store(make_shared<const NamedTensors>(       Tensor y = linear(x, (*weights)[0].second, …);
//       snapshot(model)));
//
// A snapshot is a tensor of its own, off the tape, that shares the buffer of the one that it was taken from. Nothing is copied when it is
// taken. The first write in place to the tensor that comes after, by whatever op (an optimizer's step, say), gives the tensor a fresh
// buffer first: one copy, and none where the snapshot has gone by then. The snapshot never changes. Writing to a snapshot
// works as well, and changes it alone.
//
// Snapshots are taken on the thread that made the tensors; several taken between two ops are of one moment. They may be read, copied and
// dropped on any thread. Of tensors that another thread made, and of memory that the user holds (`borrow`, `mutable_data`), a
// snapshot is a copy taken at once.
#pragma once

#include <span>
#include <vector>

#include <swage/nn/module.hpp>
#include <swage/tensor.hpp>

namespace swage {

// Computes what is pending. Same type, shape and strides. Raises ValueError for an undefined tensor, MemoryError.
Tensor snapshot(const Tensor& tensor);
std::vector<Tensor> snapshot(std::span<const Tensor> tensors);
// Parameters and buffers, named as in `state_dict`; `load_state_dict` puts them into another module.
nn::NamedTensors snapshot(const nn::Module& module);

}  // namespace swage
