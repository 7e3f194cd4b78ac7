#include <tools/cli/paint.hpp>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <unistd.h>

namespace swage::tool {
namespace {

std::string_view code_of(Ink ink) {
  switch (ink) {
    case Ink::heading: return "\033[1m";
    case Ink::id: return "\033[36m";
    case Ink::good: return "\033[32m";
    case Ink::bad: return "\033[31m";
  }
  return "";
}

bool is_id(std::string_view word) {
  return word.size() > 1 && std::string_view("tpm").find(word.front()) != std::string_view::npos &&
         std::all_of(word.begin() + 1, word.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// What a terminal would obey.
bool is_control(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7f; }

// The value of a word such as 2.07x; negative where it is none.
double factor_in(std::string_view word) {
  if (word.size() < 4 || word.back() != 'x' || word.find('.') == std::string_view::npos) return -1;
  double value = -1;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size() - 1, value);
  return error == std::errc() && end == word.data() + word.size() - 1 ? value : -1;
}

void add_word(std::string& out, std::string_view word) {
  if (is_id(word))
    out += inked(Ink::id, word);
  else if (const double factor = factor_in(word); factor >= 0)
    out += inked(factor >= 1 ? Ink::good : Ink::bad, word);
  else
    out += word;
}

}  // namespace

bool colours() {
  static const bool wanted = [] {
    const char* const no = std::getenv("NO_COLOR");
    const char* const terminal = std::getenv("TERM");
    return isatty(STDOUT_FILENO) && !(no && *no) && !(terminal && std::string_view(terminal) == "dumb");
  }();
  return wanted;
}

std::string inked(Ink ink, std::string_view text) {
  if (!colours()) return std::string(text);
  // What ends lines stays outside.
  const std::size_t end = text.find_last_not_of('\n') + 1;
  return std::string(code_of(ink)).append(text.substr(0, end)).append("\033[0m").append(text.substr(end));
}

std::string painted(std::string_view given, std::initializer_list<Phrase> phrases) {
  std::string harmless(given);
  std::ranges::replace_if(harmless, is_control, '?');
  if (!colours()) return harmless;
  std::string_view text = harmless;
  constexpr std::string_view kBetween = " \n,;:()";
  std::string out;
  while (!text.empty()) {
    const auto* const phrase = std::find_if(phrases.begin(), phrases.end(),
                                            [&](const Phrase& p) { return !p.text.empty() && text.starts_with(p.text); });
    if (phrase != phrases.end()) {
      out += inked(phrase->ink, phrase->text);
      text.remove_prefix(phrase->text.size());
      continue;
    }
    const std::size_t end = text.find_first_of(kBetween);
    add_word(out, text.substr(0, end));
    if (end == std::string_view::npos) break;
    out += text[end];
    text.remove_prefix(end + 1);
  }
  return out;
}

}  // namespace swage::tool
