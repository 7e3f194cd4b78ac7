#include <test/log_fuzz/walk.hpp>

#include <fstream>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <runtime/cache/digest.hpp>
#include <runtime/core/error.hpp>
#include <tools/cli/commands.hpp>
#include <tools/cli/usage.hpp>
#include <tools/trace/words.hpp>

namespace swage::log_fuzz {
namespace {

// What takes long is done seldom: code is generated, kernels run, pages are written.
bool is_heavy(const std::string& name) { return name == "check" || name == "replay" || name == "report"; }

std::vector<std::string> names_of_commands() {
  CLI::App app;
  tool::add_trace(app);
  std::vector<std::string> names;
  for (const CLI::App* const command : app.get_subcommand("trace")->get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(command->get_name());
  return names;
}

// An id that is likely to be there.
std::string some_id(const std::string& command, Random& random) {
  const char kind = command == "why" && random() % 2 ? 'm' : random() % 4 ? 't' : 'p';
  return fmt::format("{}{}", kind, 1 + random() % 4);
}

std::string value_of(const std::string& option, const std::filesystem::path& folder, Random& random) {
  static const std::vector<std::string> kStages = {"record", "fused", "cuda", "mlir", "llvm", "asm"};
  if (option == "--stage") return kStages[random() % (random() % 64 ? 3 : kStages.size())];
  if (option == "--tier") return random() % 2 ? "eager" : "compiled";
  if (option == "--times" || option == "--seed") return "1";
  return (folder / "out").string();
}

// A command line for this command, whatever it takes: required options, some of the flags, ids and the run, in their order.
std::vector<std::string> command_line(const CLI::App& command, const std::filesystem::path& log, Random& random) {
  std::vector<std::string> line = {"trace", command.get_name()};
  bool has_id = true;
  for (const CLI::Option* const option : command.get_options()) {
    if (option->get_lnames().empty()) {  // positional
      const std::string name = option->get_name(/*positional=*/true);
      if (name == "run") {
        if (has_id) line.push_back(log.string());
      } else if (has_id) {
        has_id = option->get_required() || random() % 2;
        if (has_id) line.push_back(some_id(command.get_name(), random));
        if (!has_id) line.push_back(log.string());
      }
      continue;
    }
    const std::string name = "--" + option->get_lnames().front();
    if (name == "--help" || name == "--follow" || name == "--svg" || name == "--plant") continue;
    const bool is_flag = option->get_items_expected_max() == 0;
    if (!option->get_required() && random() % 2) continue;
    line.push_back(is_flag ? name : name + "=" + value_of(name, log.parent_path(), random));
  }
  return line;
}

}  // namespace

Walked& Walked::operator+=(const Walked& other) {
  read += other.read;
  damaged += other.damaged;
  outlines += other.outlines;
  commands += other.commands;
  return *this;
}

void Walker::read_all(std::string_view bytes, Walked& walked) {
  constexpr std::size_t kMostEvents = 100;  // of each log; more of the same tell no more
  says_("read");
  runlog::Run run;
  try {
    run = runlog::read(bytes);
  } catch (const ValueError&) {
    return;
  }
  ++walked.read;
  walked.damaged += !run.damage.empty();
  says_("explain");
  tool::SourceLines lines(run);
  std::size_t told = 0;
  for (std::size_t i = 0; i < std::min(run.events.size(), kMostEvents); ++i)
    told += tool::explain(run, run.events[i], lines).why.size();
  for (const runlog::TraceEntry& entry : run.traces) {
    const EscapeMask escapes = tool::escapes_of(entry);
    std::uint64_t identity = entry.trace.hash;
    for (DescId result : entry.trace.results) identity = mix_word(identity, result);
    for (std::uint64_t word : escapes.words()) identity = mix_word(identity, word);
    if (!planned_.insert(identity).second) continue;
    says_("print and outline\n" + print(entry.trace, &escapes));
    told += tool::state_of(entry).size() + tool::callers_of(entry, lines).size();
    ++walked.outlines;
    try {
      told += outline_plan(entry.trace, escapes).groups.size();
    } catch (const CompileError&) {
      ++told;
    }
  }
}

void Walker::command(std::string_view bytes, const std::string& name, Random& random) {
  const std::filesystem::path log = folder_ / "run.swagelog";
  std::ofstream(log, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  CLI::App app;
  tool::add_trace(app);
  std::vector<std::string> line = command_line(*app.get_subcommand("trace")->get_subcommand(name), log, random);
  says_(fmt::format("swage {}", fmt::join(line, " ")));
  std::ranges::reverse(line);  // as CLI11 takes it
  try {
    app.parse(line);
  } catch (const CLI::Error&) {
  } catch (const tool::UsageError&) {
  } catch (const Error&) {
  }
}

Walked Walker::walk(std::string_view bytes, Random& random) {
  static const std::vector<std::string> names = names_of_commands();
  Walked walked;
  read_all(bytes, walked);
  if (random() % 8 != 0) return walked;
  const std::string& name = names[random() % names.size()];
  if (is_heavy(name) && random() % 32 != 0) return walked;
  ++walked.commands;
  command(bytes, name, random);
  return walked;
}

Walked Walker::walk_all(std::string_view bytes) {
  Walked walked;
  Random random(1);
  read_all(bytes, walked);
  for (const std::string& name : names_of_commands())
    for (int k = 0; k < 40; ++k, ++walked.commands) command(bytes, name, random);
  return walked;
}

}  // namespace swage::log_fuzz
