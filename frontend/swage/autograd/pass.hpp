// A backward pass from edges of the tape, for what keeps a tape of its own.
#pragma once

#include <span>

#include <swage/autograd/node.hpp>
#include <swage/detail/pool.hpp>

namespace swage::autograd {

using Gradients = detail::PoolVector<Tensor>;

// Adds the gradients that follow from these, one an edge, to the grad of every leaf. The tape is kept.
void send_back(std::span<const Edge> from, Gradients gradients);

}  // namespace swage::autograd
