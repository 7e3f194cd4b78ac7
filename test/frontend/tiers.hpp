// Runs a program eagerly, traced and compiled, with the real kernels and the real compiler, and compares every bit that it
// notes. Plans are made at once and as soon as allowed, so that short programs reach them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <swage/swage.hpp>

namespace swage::test {

// What a program gave, in order. NaNs count as equal whatever their sign and payload.
class Notes {
 public:
  void operator()(const Tensor& tensor);  // its type, extents and elements; settles it
  void operator()(const std::string& text) { entries_.push_back({text, {}}); }
  // Notes the error that `f` raises, by its text (which names the op and the line), or that there is none.
  void error(const std::function<void()>& f);

  std::size_t size() const { return entries_.size(); }
  std::size_t errors() const;
  // The first difference in words; empty if there is none.
  std::string difference(const Notes& other) const;

 private:
  struct Entry {
    std::string text;
    std::vector<std::uint64_t> bits;
    friend bool operator==(const Entry&, const Entry&) = default;
  };
  std::vector<Entry> entries_;
};

using Body = std::function<void(Notes&)>;  // the whole program, with its own loops

struct TierRun {
  Notes notes;
  EngineStats stats;  // what this run added
};
EngineOptions options_of(Tier tier);
// From an engine that knows nothing, with the generator seeded. Everything is put back afterwards.
TierRun run_with(const EngineOptions& options, const Body& body);
inline TierRun run_in(Tier tier, const Body& body) { return run_with(options_of(tier), body); }

// The same notes in all three tiers, at least `hits` windows run by plans in the compiled one. Gives that run.
TierRun expect_same(const Body& body, std::uint64_t hits = 1);

}  // namespace swage::test
