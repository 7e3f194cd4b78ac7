#include <tools/trace/answers.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace swage::tool {

std::string in_one_line(const Json& json) {
  return json.dump(/*indent=*/-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

void print_json(const Json& json) { fmt::print("{}\n", in_one_line(json)); }

}  // namespace swage::tool
