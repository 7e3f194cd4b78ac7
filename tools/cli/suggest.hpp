// The nearest valid name to one that is wrong.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace swage::tool {

// Letters to insert, delete, replace or swap with their neighbour.
std::size_t edit_distance(std::string_view a, std::string_view b);

// The nearest of `names`, or empty where none is near: more than half of the longer name would have to change.
std::string nearest(std::string_view wrong, const std::vector<std::string>& names);

// ", did you mean 'x'?", or the list of what there is where nothing is near.
std::string suggestion(std::string_view wrong, const std::vector<std::string>& names);

}  // namespace swage::tool
