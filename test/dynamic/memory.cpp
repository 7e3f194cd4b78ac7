// A memory that grows by a row an item: things are shown once, and recognised by what little is known of them later.
#include <cstdio>

#include <dynamic.hpp>

#include <swage/swage.hpp>

namespace swage::dynamic {

void memory() {
  manual_seed(5);
  constexpr int kThings = 2000;
  constexpr std::int64_t kLooks = 32, kName = 8;
  const Tensor things = randn({kThings, kLooks}), names = randn({kThings, kName});

  nn::Memory met(kLooks, kName);
  int right = 0;
  std::uint64_t misses = 0;
  for (int i = 0; i < kThings; ++i) {
    if (i == kThings / 2) misses = stats().misses;
    met.append(things[i], names[i]);  // from now on it is known
    const int earlier = i * 7 / 11;
    const Tensor seen = (things[earlier] + randn({kLooks}) * 0.1) * 4;  // not quite as it was; the factor sharpens attention
    const Tensor wrong = sum(square(met.read(seen, 8) - names[earlier]));
    swage::step();
    right += wrong.item() < 1;
  }
  std::printf("%d things were shown once; %s of the questions are answered\n", kThings,
              right > kThings * 0.95 ? "over nineteen twentieths" : "too few");
  std::printf("the second thousand of them took %s\n",
              stats().misses - misses < 5 ? "the ways that were known" : "new ways all the time");
}

}  // namespace swage::dynamic
