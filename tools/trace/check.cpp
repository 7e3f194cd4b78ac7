// `swage trace check`: whether what is compiled computes what the ops compute, and if not, where it begins.
#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <jit/compiler.hpp>
#include <jit/inspect.hpp>
#include <jit/side_by_side.hpp>
#include <kernels/cpu/kernel_table.hpp>
#include <runtime/core/error.hpp>
#include <runtime/core/planted_fault.hpp>
#include <tools/cli/paint.hpp>
#include <tools/cli/usage.hpp>
#include <tools/trace/answers.hpp>
#include <tools/trace/commands.hpp>
#include <tools/trace/run.hpp>
#include <tools/trace/words.hpp>

namespace swage::tool {
namespace {

struct Verdict {
  std::string trace, state;  // "same", "differs", "not compiled: …" or "not run: …"
  std::string difference, op, group, place;
};

class Checker {
 public:
  explicit Checker(std::uint64_t seed) : seed_(seed), compiler_(make_cpu_compiler()) {}

  Verdict check(const runlog::TraceEntry& entry, SourceLines& lines) {
    Verdict verdict{name_of_trace(entry.trace.id), "same", {}, {}, {}, {}};
    if (const std::string why = too_large_to_run(entry.trace); !why.empty()) {
      verdict.state = "not run: " + why;
      return verdict;
    }
    try {
      const EscapeMask escapes = escapes_of(entry);
      const auto found = compare(entry.trace, escapes);
      if (!found) return verdict;
      verdict.state = "differs";
      verdict.difference = found->words;
      locate(entry, escapes, *found, verdict, lines);
    } catch (const CompileError& error) {
      verdict.state = fmt::format("not compiled: {}", error.what());
    }
    return verdict;
  }

 private:
  std::optional<jit::Difference> compare(const Trace& trace, const EscapeMask& escapes) {
    const CompileResult made = compiler_->compile(trace, escapes);
    return jit::compare_with_interpreter(trace, *made.plan, kernels_, seed_);
  }

  // Everything that is computed is looked at, in the order in which it is: the first that differs is to blame. Where nothing does when
  // all of it is written out, what was kept inside the plan is: then it is what differs outside.
  void locate(const runlog::TraceEntry& entry, const EscapeMask& escapes, const jit::Difference& outside, Verdict& verdict,
              SourceLines& lines) {
    const Trace& trace = entry.trace;
    EscapeMask all = escapes;
    for (RecordIndex i = 0; i < trace.size(); ++i)
      if (trace.storages[i] == i && !trace.is_input(i) && trace.keys[i].op != Op::cut) all.set(i);
    const auto inside = compare(trace, all);
    const jit::Difference& first = inside ? *inside : outside;
    if (first.storage >= trace.size()) return;
    RecordIndex record = first.storage;
    for (RecordIndex i = 0; i < trace.size(); ++i)  // the last write is what was compared
      if (trace.storages[i] == first.storage && trace.keys[i].in_place()) record = i;
    verdict.op = print_record(trace, record);
    verdict.place = place_of(entry, record, lines);
    const PlanOutline outline = outline_plan(trace, inside ? all : escapes);
    for (std::size_t g = 0; g < outline.groups.size(); ++g) {
      const auto& records = outline.groups[g].records;
      if (std::ranges::find(records, record) == records.end()) continue;
      std::string ops;
      for (RecordIndex i : records) ops += fmt::format(" %{} {}", i, name_of(trace.keys[i].op));
      verdict.group = fmt::format("group {} ({}):{}", g, outline.groups[g].library ? "library call" : "loop", ops);
      return;
    }
  }

  std::uint64_t seed_;
  std::unique_ptr<Compiler> compiler_;
  KernelTable kernels_ = cpu_kernel_table();
};

std::string as_text(const std::vector<Verdict>& verdicts) {
  if (verdicts.empty()) return "no trace was kept\n";
  std::string text;
  for (const Verdict& v : verdicts) {
    text += wrapped(fmt::format("{}: {}{}{}", v.trace, v.state, v.difference.empty() ? "" : ": ", v.difference), 4);
    if (!v.op.empty()) text += wrapped("    first in " + v.op, 4);
    if (!v.group.empty()) text += wrapped("    of " + v.group, 4);
    if (!v.place.empty()) text += wrapped("    at " + v.place, 4);
  }
  return text;
}

Json as_json(const std::vector<Verdict>& verdicts) {
  Json list = Json::array();
  for (const Verdict& v : verdicts)
    list.push_back({{"id", v.trace},
                    {"state", v.state},
                    {"difference", v.difference},
                    {"op", v.op},
                    {"group", v.group},
                    {"site", v.place}});
  return {{"traces", list}};
}

}  // namespace

void add_check(CLI::App& trace) {
  CLI::App* const command = trace.add_subcommand("check", "eager against compiled, bit for bit; the op that differs first");
  auto arguments = std::make_shared<TraceArguments>();
  auto seed = std::make_shared<std::uint64_t>(1);
  auto fault = std::make_shared<std::string>();
  command->add_option("id", arguments->id, "a trace such as t17 (default: all that have plans)");
  command->add_option("run", arguments->run, "a log file or the process id of a run (default: the latest)");
  command->add_option("--seed", *seed, "of the inputs (default 1)");
  command->add_option("--plant", *fault, "a fault in the compiler, to see it found")->group("");
  command->add_flag("--json", arguments->json, "as one line of JSON");
  command->callback([=] {
    if (arguments->run.empty() && !is_id(arguments->id)) std::swap(arguments->run, arguments->id);
    const runlog::Run run = open_run(arguments->run);
    if (!fault->empty()) {
      const auto* const named = std::ranges::find(kPlantedFaultNames, *fault);
      if (named == kPlantedFaultNames.end()) usage_error("there is no fault '{}'", *fault);
      setenv("SWAGE_CACHE", "off", /*overwrite=*/1);  // code with the fault must not outlive this
      planted_fault = static_cast<PlantedFault>(named - kPlantedFaultNames.begin());
    }
    SourceLines lines(run);
    Checker checker(*seed);
    std::vector<Verdict> verdicts;
    if (arguments->id.empty()) {
      for (const runlog::TraceEntry& entry : run.traces)
        if (!entry.plans.empty()) verdicts.push_back(checker.check(entry, lines));
    } else {
      verdicts.push_back(checker.check(trace_named(run, arguments->id), lines));
    }
    if (arguments->json)
      print_json(as_json(verdicts));
    else
      fmt::print("{}", painted(as_text(verdicts), {{"same\n", Ink::good}, {"differs", Ink::bad}}));
    const auto differs = [](const Verdict& verdict) { return verdict.state == "differs"; };
    if (std::ranges::any_of(verdicts, differs)) throw CLI::RuntimeError(1);
  });
}

}  // namespace swage::tool
