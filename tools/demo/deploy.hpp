// The trained network put to use.
#pragma once

#include <filesystem>

#include <swage/swage.hpp>

namespace swage::tool {

// Loads the network from a safetensors file, reads all images, and draws a few with what it took them for.
void deploy(const std::filesystem::path& model, const data::Digits& digits);

}  // namespace swage::tool
