// Call sites of a logged run as lines of the user's program, by the debug information of the binaries that it ran.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include <runtime/log/reader.hpp>

namespace swage::tool {

class SourceLines {
 public:
  explicit SourceLines(const runlog::Run& run);
  ~SourceLines();
  SourceLines(const SourceLines&) = delete;
  SourceLines& operator=(const SourceLines&) = delete;

  // "model.cpp:42"; "function+0x1f in binary" or "0x… in binary" without lines; "unknown place" for none. A binary that is another build
  // than the one that ran is not asked.
  const std::string& of(std::uint64_t site);
  const std::string& of(CallSite site) { return of(reinterpret_cast<std::uint64_t>(site.address)); }

 private:
  struct Modules;
  std::string resolve(std::uint64_t site);
  std::unique_ptr<Modules> modules_;
  std::unordered_map<std::uint64_t, std::string> known_;
};

}  // namespace swage::tool
