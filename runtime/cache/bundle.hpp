// Entries of a plan cache in one file, to be carried to another folder or machine. Every entry keeps its own checksum, and the file
// has one over all of it, so what is damaged anywhere is refused whole.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <runtime/cache/entry_folder.hpp>

namespace swage {

struct BundledEntry {
  std::string kind;
  Entry entry;
};

std::string bundle(const std::vector<BundledEntry>& entries);

// Raises ValueError, beginning with `name`, where the bytes are no bundle of this version, or damaged: nothing of them is given then.
std::vector<BundledEntry> unbundle(std::string_view bytes, std::string_view name);

}  // namespace swage
