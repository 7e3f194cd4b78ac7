#pragma once

#include <cstdint>

namespace swage::optim {

// Half a cosine from `peak` at step 0 to `floor` at step `total` and after it (Loshchilov and Hutter, "SGDR", ICLR 2017, without
// restarts): `optimizer.set_lr(cosine_lr(step, steps, 0.1))`.
double cosine_lr(std::int64_t step, std::int64_t total, double peak, double floor = 0);

}  // namespace swage::optim
