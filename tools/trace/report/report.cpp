// `swage trace report`: all of it in one page that needs nothing else.
#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <runtime/core/error.hpp>
#include <tools/cli/machine.hpp>
#include <tools/cli/usage.hpp>
#include <tools/cli/whole_file.hpp>
#include <tools/trace/answers.hpp>
#include <tools/trace/commands.hpp>
#include <tools/trace/report/page.hpp>
#include <tools/trace/run.hpp>
#include <tools/trace/words.hpp>

namespace swage::tool {
namespace {

constexpr std::size_t kDetailed = 32;                                     // traces that the page has more of than a row
constexpr std::size_t kWithCode = 8;                                      // of these, how many with their code
constexpr std::size_t kStageBytes = 256 * 1024;                           // of one stage of one trace
constexpr std::size_t kRecordsInAll = 64 * 1024;                          // of the traces in detail
constexpr std::array kStages = {"fused", "mlir", "llvm", "asm", "cuda"};  // ptx needs NVRTC, and seconds

Json about(const runlog::Run& run) {
  return {{"log", run.path.string()},
          {"log_format", runlog::kVersion},
          {"version", SWAGE_VERSION},
          {"reader_cpu", cpu_in_words()},
          {"started_ms", run.started_ns / 1'000'000},
          {"decisions", run.decisions},
          {"hit_events", run.hit_events},
          {"lost_blobs", run.lost_blobs},
          {"remarks", run.remarks},
          {"damage", run.damage}};
}

// The stages that the trace can be taken to, each up to its limit.
Json code_of(const runlog::TraceEntry& entry) {
  Json stages = Json::array();
  for (const char* const stage : kStages) {
    try {
      std::string text = text_at_stage(entry, stage);
      std::size_t left_out = 0;
      if (text.size() > kStageBytes) {
        const std::size_t end = text.rfind('\n', kStageBytes);
        left_out = text.size() - (end == std::string::npos ? kStageBytes : end + 1);
        text.resize(text.size() - left_out);
      }
      stages.push_back({{"stage", stage}, {"text", text}, {"left_out", left_out}});
    } catch (const CompileError& error) {
      stages.push_back({{"stage", stage}, {"text", error.what()}, {"left_out", 0}});
    }
  }
  return stages;
}

Json detail_of(const runlog::Run& run, const runlog::TraceEntry& entry, bool with_code, SourceLines& lines) {
  Json detail = {{"show", answer_show(run, entry, lines)}};
  try {
    const PlanOutline outline = outline_plan(entry.trace, escapes_of(entry));
    detail["fusion"] = answer_fusion(entry, outline, lines);
    detail["memory"] = answer_memory(entry, outline, lines);
    if (with_code) detail["code"] = code_of(entry);
  } catch (const CompileError& error) {
    detail["trouble"] = fmt::format("It cannot be compiled: {}", error.what());
  }
  return detail;
}

Json data_of(const runlog::Run& run) {
  SourceLines lines(run);
  Json data = {{"run", about(run)},
               {"top", answer_top(run)},
               {"why", answer_why(run, "", lines)},
               {"advice", answer_advice(run, lines)},
               {"lost", answer_lost(run, lines)},
               {"break_even", answer_break_even(run)},
               {"timeline", timeline_events(run, lines)},
               {"traces", Json::array()}};
  std::size_t records = 0;
  for (const Json& row : data["top"]["traces"]) {
    const runlog::TraceEntry& entry = trace_named(run, row["id"]);
    Json& details = data["traces"];
    records += entry.trace.size();
    if (details.size() == kDetailed || (records > kRecordsInAll && !details.empty())) break;
    details.push_back(detail_of(run, entry, details.size() < kWithCode && !entry.plans.empty(), lines));
  }
  return data;
}

std::string replaced(std::string_view text, std::string_view mark, std::string_view by) {
  const std::size_t at = text.find(mark);
  return std::string(text.substr(0, at)).append(by).append(text.substr(at + mark.size()));
}

// In a script element nothing is an entity: what could end the element is written as JSON allows.
std::string for_script(const Json& data) {
  const std::string plain = in_one_line(data);
  std::string text;
  text.reserve(plain.size());
  for (const char c : plain)
    if (c == '<')
      text += "\\u003c";
    else
      text += c;
  return text;
}

std::string page_of(const runlog::Run& run) {
  std::string script;
  for (const std::string_view part :
       {page::dom_js, page::plots_js, page::trace_plots_js, page::trace_section_js, page::page_js})
    script += part;
  const std::string styled = replaced(page::page_html, "@style@", page::page_css);
  return replaced(replaced(styled, "@script@", script), "@data@", for_script(data_of(run)));
}

}  // namespace

void add_report(CLI::App& trace) {
  CLI::App* const command = trace.add_subcommand("report", "all of it in one page, with plots and search");
  auto arguments = std::make_shared<TraceArguments>();
  auto out = std::make_shared<std::string>();
  command->add_option("run", arguments->run, "a log file or the process id of a run (default: the latest)");
  command->add_option("--html", *out, "the file to write")->required();
  command->callback([=] {
    const runlog::Run run = open_run(arguments->run);
    const std::string page = page_of(run);
    write_whole(*out, page);
    fmt::print("run {} in {}: {} KiB, for any browser, without a network\n", run.pid, *out, page.size() / 1024);
  });
}

}  // namespace swage::tool
