// Colour, on a terminal only: never in a pipe or file, with NO_COLOR set (https://no-color.org), or on a terminal that is dumb.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace swage::tool {

enum class Ink { heading, id, good, bad };

struct Phrase {
  std::string_view text;
  Ink ink;
};

bool colours();  // whether stdout takes them
std::string inked(Ink ink, std::string_view text);
// Finished lines (what counts columns must not count colours): ids such as t17, factors such as 2.07x, and the given phrases. Control
// characters, which a log may hold, become question marks, with colours or without.
std::string painted(std::string_view given, std::initializer_list<Phrase> phrases = {});

}  // namespace swage::tool
