#include <jit/cache/stored_code.hpp>

#include <cstring>

#include <fmt/format.h>
#include <llvm/Config/llvm-config.h>

#include <jit/cpu/target.hpp>
#include <runtime/cache/build_id.hpp>
#include <runtime/cache/plan_cache.hpp>

namespace swage::jit {

const std::string& code_environment() {
  static const std::string text =
      fmt::format("swage code 1; build {}; LLVM {} {}; MLIR {}; oneDNN {}; x86-64 {}; {}; numerics exact", own_build_id(),
                  LLVM_VERSION_STRING, library_build_id("libLLVM"), library_build_id("libMLIR"), library_build_id("libdnnl"),
                  code_target().features, kCodegenOptions);
  return text;
}

std::optional<CodeImage> image_of(std::string_view payload) {
  CodeImage image;
  if (payload.size() < sizeof image.entry) return std::nullopt;
  std::memcpy(&image.entry, payload.data(), sizeof image.entry);
  image.bytes = payload.substr(sizeof image.entry);
  if (image.entry >= image.bytes.size()) return std::nullopt;
  return image;
}

std::optional<CodeImage> load_code(std::string_view program_key) {
  EntryFolder* const cache = cache_lookups_allowed() ? plan_cache() : nullptr;
  const std::optional<std::string> payload = cache ? cache->find({kCodeKind, code_environment(), program_key}) : std::nullopt;
  return payload ? image_of(*payload) : std::nullopt;
}

void store_code(std::string_view program_key, const CodeImage& image) {
  EntryFolder* const cache = plan_cache();
  if (!cache) return;
  std::string payload(sizeof image.entry, '\0');
  std::memcpy(payload.data(), &image.entry, sizeof image.entry);
  cache->store({kCodeKind, code_environment(), program_key}, payload + image.bytes);
}

}  // namespace swage::jit
