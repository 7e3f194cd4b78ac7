// Everything a program needs: `#include <swage/swage.hpp>`.
#pragma once

#include <runtime/core/error.hpp>
#include <swage/autograd/backward.hpp>
#include <swage/autograd/grad_mode.hpp>
#include <swage/creation.hpp>
#include <swage/data/augment.hpp>
#include <swage/data/batches.hpp>
#include <swage/data/digits.hpp>
#include <swage/functional.hpp>
#include <swage/index.hpp>
#include <swage/io/safetensors.hpp>
#include <swage/nn/activations.hpp>
#include <swage/nn/batch_norm.hpp>
#include <swage/nn/conv2d.hpp>
#include <swage/nn/linear.hpp>
#include <swage/nn/module.hpp>
#include <swage/nn/sequential.hpp>
#include <swage/optim/adam.hpp>
#include <swage/optim/optimizer.hpp>
#include <swage/optim/schedule.hpp>
#include <swage/optim/sgd.hpp>
#include <swage/pointwise.hpp>
#include <swage/products.hpp>
#include <swage/reduce.hpp>
#include <swage/runtime.hpp>
#include <swage/tensor.hpp>
