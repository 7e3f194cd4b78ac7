// Small programs whose structure changes while they run, as users write them.
#pragma once

#include <utility>

namespace swage::dynamic {

void grower();
void memory();
void parser();
void router();
void robot();
void sensor();
void tagger();

struct Program {
  const char* name;
  void (*run)();
};
inline constexpr Program kPrograms[] = {{"grower", grower}, {"parser", parser}, {"robot", robot},  {"router", router},
                                        {"tagger", tagger}, {"sensor", sensor}, {"memory", memory}};

}  // namespace swage::dynamic
