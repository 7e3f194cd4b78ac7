// Handwritten digits (Alpaydin and Kaynak, "Optical recognition of handwritten digits", UCI machine learning repository, 1998).
#pragma once

#include <string>

#include <swage/tensor.hpp>

namespace swage::data {

struct Digits {
  Tensor images;  // f32 (N,1,8,8), 0 (white) to 1 (black)
  Tensor labels;  // i64 (N), 0 to 9
};

// Reads `digits.csv.gz` (or the plain .csv): a line an image, 64 numbers from 0 to 16 and the label. Raises IoError with the
// file, the line and what is wrong.
Digits load_digits(const std::string& path);

}  // namespace swage::data
