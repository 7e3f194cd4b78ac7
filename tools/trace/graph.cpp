// `swage trace graph`: a trace as a graph, its fusion groups as clusters.
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include <jit/inspect.hpp>
#include <runtime/core/error.hpp>
#include <tools/cli/usage.hpp>
#include <tools/trace/commands.hpp>
#include <tools/trace/run.hpp>
#include <tools/trace/words.hpp>

namespace swage::tool {
namespace {

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (char c : text) out += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
  return out + "\"";
}

std::string as_dot(const runlog::TraceEntry& entry, SourceLines& lines) {
  const EscapeMask escapes = escapes_of(entry);
  PlanOutline outline;
  try {
    outline = outline_plan(entry.trace, escapes);
  } catch (const CompileError&) {  // the graph without clusters
    outline.trace = entry.trace;
  }
  const Trace& trace = outline.trace;
  std::string text = fmt::format("digraph {} {{\n  rankdir=TB;\n  node [shape=box, fontname=\"monospace\", fontsize=10];\n",
                                 quoted(name_of_trace(trace.id)));
  const auto node = [&](RecordIndex i) {
    const std::string label = fmt::format("%{} {} {}", i, name_of(trace.keys[i].op), to_string(desc_of(trace.results[i])));
    std::string style;
    if (trace.is_input(i)) style = ", shape=ellipse";
    if (escapes.test(trace.storages[i]) && trace.storages[i] == i) style += ", peripheries=2";
    return fmt::format("r{} [label={}, tooltip={}{}];\n", i, quoted(label), quoted(place_of(entry, i, lines)), style);
  };
  std::vector<bool> placed(trace.size());
  for (std::size_t g = 0; g < outline.groups.size(); ++g) {
    const PlanOutline::Group& group = outline.groups[g];
    text += fmt::format("  subgraph cluster_{} {{\n    label={};\n    style=filled; color={};\n", g,
                        quoted(fmt::format("{} {}", group.library ? "library call" : "loop", g)),
                        group.library ? "\"#f3e3c3\"" : "\"#dbe8f4\"");
    for (RecordIndex i : group.records) {
      if (!placed[i]) text += "    " + node(i);
      placed[i] = true;
    }
    text += "  }\n";
  }
  for (RecordIndex i = 0; i < trace.size(); ++i) {
    if (trace.keys[i].op == Op::cut) continue;
    if (!placed[i]) text += "  " + node(i);
    for (int k = 0; k < trace.keys[i].n_operands; ++k)
      if (trace.keys[i].op != Op::input && trace.keys[i].operands[k].is_tensor())
        text += fmt::format("  r{} -> r{};\n", trace.operand(i, k), i);
  }
  return text + "}\n";
}

// Through Graphviz.
std::string as_svg(const std::string& dot) {
  std::string made = (std::filesystem::temp_directory_path() / "swage-graph-XXXXXX").string();
  if (!mkdtemp(made.data())) usage_error("no folder can be made in {}", std::filesystem::temp_directory_path().string());
  const std::filesystem::path folder = made;
  const std::filesystem::path in = folder / "trace.dot", out = folder / "trace.svg";
  std::ofstream(in) << dot;
  std::string program = "dot", format = "-Tsvg", to = "-o" + out.string(), from = in.string();
  std::array<char*, 5> arguments = {program.data(), format.data(), to.data(), from.data(), nullptr};
  pid_t child = 0;
  int status = posix_spawnp(&child, "dot", nullptr, nullptr, arguments.data(), environ);
  if (status == 0 && waitpid(child, &status, 0) != child) status = -1;
  std::ifstream file(out);
  std::string svg((std::istreambuf_iterator<char>(file)), {});
  std::filesystem::remove_all(folder);
  if (status != 0 || svg.empty()) usage_error("Graphviz's `dot` is not there, or failed; --dot prints what it reads");
  return svg;
}

}  // namespace

void add_graph(CLI::App& trace) {
  CLI::App* const command = trace.add_subcommand("graph", "a trace as DOT or SVG, fusion groups as clusters");
  auto arguments = std::make_shared<TraceArguments>();
  auto svg = std::make_shared<bool>(false);
  command->add_option("id", arguments->id, "a trace such as t17")->required();
  command->add_option("run", arguments->run, "a log file or the process id of a run (default: the latest)");
  command->add_flag("--dot")->description("DOT (default)");
  command->add_flag("--svg", *svg, "SVG, by Graphviz");
  command->callback([=] {
    const runlog::Run run = open_run(arguments->run);
    SourceLines lines(run);
    const std::string text = as_dot(trace_named(run, arguments->id), lines);
    fmt::print("{}", *svg ? as_svg(text) : text);
  });
}

}  // namespace swage::tool
