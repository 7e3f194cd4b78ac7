// `swage trace ir`: a logged trace, taken through the compiler again up to a stage.
#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <jit/inspect.hpp>
#include <runtime/core/error.hpp>
#include <tools/cli/suggest.hpp>
#include <tools/cli/usage.hpp>
#include <tools/trace/answers.hpp>
#include <tools/trace/commands.hpp>
#include <tools/trace/run.hpp>
#include <tools/trace/words.hpp>

namespace swage::tool {
namespace {

struct NamedStage {
  const char* name;
  Stage stage;
};
constexpr std::array<NamedStage, 7> kStages = {{{"record", Stage::record},
                                                {"mlir", Stage::mlir},
                                                {"fused", Stage::fused},
                                                {"llvm", Stage::llvm},
                                                {"asm", Stage::asm_},
                                                {"cuda", Stage::cuda},
                                                {"ptx", Stage::ptx}}};

}  // namespace

std::string text_at_stage(const runlog::TraceEntry& entry, const std::string& stage) {
  const auto* found = std::ranges::find_if(kStages, [&](const NamedStage& s) { return stage == s.name; });
  if (found == kStages.end()) {
    std::vector<std::string> names(kStages.size());
    std::ranges::transform(kStages, names.begin(), &NamedStage::name);
    usage_error("there is no stage '{}'{}", stage, suggestion(stage, names));
  }
  std::string text = lower_to_text(entry.trace, escapes_of(entry), found->stage);
  if (!text.ends_with('\n')) text += '\n';
  return text;
}

void add_ir(CLI::App& trace) {
  CLI::App* const command = trace.add_subcommand("ir", "the code of a trace at one stage");
  auto arguments = take_id_and_run(*command);
  auto stage = std::make_shared<std::string>("mlir");
  command->add_option("--stage", *stage, "record, mlir (default), fused, llvm, asm, cuda or ptx");
  command->callback([=] {
    const runlog::Run run = open_run(arguments->run);
    const runlog::TraceEntry& entry = trace_named(run, arguments->id);
    try {
      const std::string text = text_at_stage(entry, *stage);
      if (arguments->json)
        print_json({{"id", name_of_trace(entry.trace.id)}, {"stage", *stage}, {"text", text}});
      else
        fmt::print("{}", text);
    } catch (const CompileError& error) {
      usage_error("{} cannot be compiled: {}", name_of_trace(entry.trace.id), error.what());
    }
  });
}

}  // namespace swage::tool
