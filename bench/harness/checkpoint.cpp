#include <bench/harness/checkpoint.hpp>

#include <charconv>
#include <map>

#include <fmt/format.h>

#include <runtime/engine/stream.hpp>

namespace swage::bench {
namespace {

constexpr std::string_view kWord = "word.";  // what the names of the workload's words begin with

class Facts {
 public:
  Facts(const std::string& path, const Metadata& metadata) : path_(path), values_(metadata.begin(), metadata.end()) {}

  const std::string& text(const std::string& name) const {
    const auto found = values_.find(name);
    if (found == values_.end()) raise<IoError>({}, "{} is not a saved run: it lacks '{}'", path_, name);
    return found->second;
  }
  std::uint64_t number(const std::string& name) const {
    const std::string& digits = text(name);
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size())
      raise<IoError>({}, "{}: '{}' is no number: '{}'", path_, name, digits);
    return value;
  }
  const std::map<std::string, std::string>& all() const { return values_; }

 private:
  const std::string& path_;
  std::map<std::string, std::string> values_;
};

}  // namespace

void save_run(const std::filesystem::path& path, std::string_view name, Workload& workload, RunProgress progress) {
  const WorkloadState state = workload.state();
  const RandomState random = Stream::current().random_state();
  Metadata facts = {{"workload", std::string(name)},
                    {"steps", std::to_string(progress.steps)},
                    {"digest", std::to_string(progress.digest)},
                    {"random_seed", std::to_string(random.seed)},
                    {"random_offset", std::to_string(random.offset)}};
  for (const auto& [what, word] : state.words) facts.emplace_back(fmt::format("{}{}", kWord, what), std::to_string(word));
  save_safetensors(path.string(), state.tensors, facts);
}

RunProgress load_run(const std::filesystem::path& path, std::string_view name, Workload& workload) {
  Metadata metadata;
  const std::string file = path.string();
  WorkloadState state{.tensors = load_safetensors(file, &metadata), .words = {}};
  const Facts facts(file, metadata);
  if (const std::string& saved = facts.text("workload"); saved != name)
    raise<IoError>({}, "{} is a run of '{}', not of '{}'", file, saved, name);
  for (const auto& [what, text] : facts.all())
    if (what.starts_with(kWord)) state.words.emplace_back(what.substr(kWord.size()), facts.number(what));
  workload.load_state(state);
  Stream::current().set_random_state({facts.number("random_seed"), facts.number("random_offset")});
  return {static_cast<std::int64_t>(facts.number("steps")), facts.number("digest")};
}

}  // namespace swage::bench
