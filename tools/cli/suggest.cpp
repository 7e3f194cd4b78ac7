#include <tools/cli/suggest.hpp>

#include <algorithm>
#include <numeric>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace swage::tool {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before, previous, row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before = std::exchange(previous, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({replaced, previous[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row.back();
}

std::string nearest(std::string_view wrong, const std::vector<std::string>& names) {
  std::string best;
  std::size_t least = wrong.size() + 100;
  for (const std::string& name : names) {
    // What was cut short is nearer than its distance says.
    const bool prefix = !wrong.empty() && name.starts_with(wrong);
    const std::size_t distance = prefix ? 1 : edit_distance(wrong, name);
    if (distance < least && distance * 2 <= std::max(wrong.size(), name.size())) {
      least = distance;
      best = name;
    }
  }
  return best;
}

std::string suggestion(std::string_view wrong, const std::vector<std::string>& names) {
  const std::string near = nearest(wrong, names);
  if (!near.empty()) return fmt::format(", did you mean '{}'?", near);
  return fmt::format("; there are: {}", fmt::join(names, ", "));
}

}  // namespace swage::tool
