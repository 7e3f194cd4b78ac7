// The `swage` command: reads the command line, and turns errors into one line and an exit code: 2 for what the user can put
// right, 1 for what went wrong on the way.
#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <runtime/core/error.hpp>
#include <tools/cli/commands.hpp>
#include <tools/cli/suggest.hpp>
#include <tools/cli/usage.hpp>

namespace swage::tool {
namespace {

// The command that the line had reached when it went wrong.
const CLI::App* innermost(const CLI::App* app) {
  while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
  return app;
}

std::vector<std::string> names_of_options(const CLI::App* app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app->get_options())
    if (!option->get_lnames().empty()) names.push_back("--" + option->get_lnames().front());
  return names;
}

std::vector<std::string> names_of_commands(const CLI::App* app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app->get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(command->get_name());
  return names;
}

std::string about_extra(const CLI::App& app) {
  const CLI::App* at = innermost(&app);
  const std::vector<std::string> extras = app.remaining(true);
  std::string extra = extras.empty() ? "" : extras.front();
  if (extra.starts_with("-")) {
    extra = extra.substr(0, extra.find('='));
    return fmt::format("there is no option '{}'{}", extra, suggestion(extra, names_of_options(at)));
  }
  const auto commands = names_of_commands(at);
  if (!commands.empty()) return fmt::format("there is no command '{}'{}", extra, suggestion(extra, commands));
  return fmt::format("'{}' is one argument too many for '{}'", extra, at->get_name());
}

int complain(const CLI::App& app, const std::string& message) {
  const CLI::App* at = innermost(&app);
  fmt::print(stderr, "swage{}{}: {}\n", at == &app ? "" : " ", at == &app ? "" : at->get_name(),
             message.substr(0, message.find('\n')));
  return 2;
}

// What looks at runs and caches is no run itself: it leaves no log.
void leave_no_log(const CLI::App& app) {
  for (const char* const name : {"trace", "cache", "doctor"})
    app.get_subcommand(name)->preparse_callback([](std::size_t) { setenv("SWAGE_LOG", "off", /*overwrite=*/1); });
}

int run(int argc, char** argv) {
  CLI::App app("Swage: a tensor engine that compiles what a program repeats.", "swage");
  app.set_help_flag("-h,--help", "this text, or that of a command");
  app.get_formatter()->column_width(34);
  app.require_subcommand(0, 1);  // in `swage help run`, run is a name
  add_run(app);
  add_trace(app);
  add_bench(app);
  add_cache(app);
  add_demo(app);
  add_doctor(app);
  leave_no_log(app);
  std::string about;
  CLI::App* const help = app.add_subcommand("help", "this text, or that of a command");
  help->add_option("command", about, "such as trace");
  try {
    app.parse(argc, argv);
    if (app.got_subcommand(help) && !about.empty()) {
      const std::vector<std::string> names = names_of_commands(&app);
      if (std::ranges::find(names, about) == names.end())
        return complain(app, fmt::format("there is no command '{}'{}", about, suggestion(about, names)));
      fmt::print("{}", app.get_subcommand(about)->help("swage"));
    } else if (app.get_subcommands().empty() || app.got_subcommand(help)) {
      fmt::print("{}", app.help());
    }
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::RuntimeError& error) {  // said already
    return error.get_exit_code();
  } catch (const CLI::ExtrasError&) {
    return complain(app, about_extra(app));
  } catch (const CLI::ParseError& error) {
    return complain(app, error.what());
  } catch (const UsageError& error) {
    return complain(app, error.what());
  } catch (const ValueError& error) {
    return complain(app, error.what());
  } catch (const IoError& error) {
    return complain(app, error.what());
  }
  return 0;
}

}  // namespace
}  // namespace swage::tool

int main(int argc, char** argv) {
  try {
    return swage::tool::run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "swage: {}\n", error.what());
    return 1;
  }
}
