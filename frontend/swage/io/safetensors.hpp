// The safetensors file format (version as of github.com/huggingface/safetensors): 8 bytes with the header's length, little-endian; a JSON
// header that names each tensor's type, shape and byte range; then the bytes, row-major, without gaps.
//
// Types: F32, F64, I64, BOOL. Both functions raise IoError with the file's name and what is wrong.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <swage/tensor.hpp>

namespace swage {

using NamedTensorList = std::vector<std::pair<std::string, Tensor>>;
using Metadata = std::vector<std::pair<std::string, std::string>>;

// Writes beside `path` under another name, then renames: a file by that name is always whole. Names must be unique and not
// "__metadata__" (ValueError).
void save_safetensors(const std::string& path, const NamedTensorList& tensors, const Metadata& metadata = {});

// All tensors, in the order of their bytes. Nothing of a file is trusted: lengths, ranges, types and overlaps are checked.
NamedTensorList load_safetensors(const std::string& path, Metadata* metadata = nullptr);

}  // namespace swage
