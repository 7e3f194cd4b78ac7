// Structures of which a chosen share is new to the run (--novelty): the others come from a pool that the warm-up has seen. Sizes are
// distributed alike whatever the share: the classes of sizes, from small to large, take turns, in the pool as among the new ones.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <unordered_set>
#include <vector>

#include <swage/data/random.hpp>

namespace swage::bench {

template <class Structure>
class Novelty {
 public:
  static constexpr std::size_t kSizes = 6;
  using Draw = std::function<Structure(data::HostRandom&, std::size_t size)>;  // size: below kSizes, its class
  using Key = std::function<std::uint64_t(const Structure&)>;                  // a hash of all that makes two structures differ

  // `percent` 0 … 100. The instance that warms up and the one that is measured share the pool; what they draw beside it never
  // coincides, for one takes the structures with an even hash and the other those with an odd one.
  Novelty(double percent, std::uint64_t seed, bool rehearsal, Draw draw, Key key)
      : percent_(percent),
        draw_(std::move(draw)),
        key_(std::move(key)),
        rehearsal_(rehearsal),
        random_(rehearsal ? ~seed : seed) {
    data::HostRandom pooled(seed ^ 0x706f6f6cU);
    while (pool_.size() < kSizes * kEach) {
      Structure structure = draw_(pooled, pool_.size() % kSizes);
      if (seen_.insert(key_(structure)).second) pool_.push_back(std::move(structure));
    }
  }

  Structure next() {
    const std::size_t size = random_.below(kSizes);
    if (static_cast<double>(random_.below(1'000'000)) >= percent_ * 10'000) return pool_[size + kSizes * random_.below(kEach)];
    for (std::size_t tries = 0;; ++tries) {
      Structure structure = draw_(random_, (size + tries / kPatience) % kSizes);
      const std::uint64_t key = key_(structure);
      if ((key & 1) == static_cast<std::uint64_t>(rehearsal_) && seen_.insert(key).second) return structure;
    }
  }

  data::HostRandom& random() { return random_; }

 private:
  static constexpr std::size_t kEach = 6;
  static constexpr std::size_t kPatience =
      256;  // draws, until the next larger class takes the place of one that may be used up

  double percent_;
  Draw draw_;
  Key key_;
  bool rehearsal_;
  data::HostRandom random_;
  std::vector<Structure> pool_;
  std::unordered_set<std::uint64_t> seen_;
};

}  // namespace swage::bench
