#include <tools/trace/lowering.hpp>

#include <algorithm>
#include <array>

#include <jit/inspect.hpp>
#include <runtime/core/error.hpp>
#include <runtime/trace/trace.hpp>
#include <tools/cli/suggest.hpp>
#include <tools/cli/usage.hpp>

namespace swage::tool {
namespace {

struct NamedStage {
  const char* name;
  Stage stage;
};
constexpr std::array<NamedStage, 6> kStages = {{{"record", Stage::record},
                                                {"mlir", Stage::mlir},
                                                {"llvm", Stage::llvm},
                                                {"asm", Stage::asm_},
                                                {"cuda", Stage::cuda},
                                                {"ptx", Stage::ptx}}};

}  // namespace

std::string lowered(const LoggedTrace& logged, const std::string& stage) {
  const auto* found = std::find_if(kStages.begin(), kStages.end(), [&](const NamedStage& s) { return stage == s.name; });
  if (found == kStages.end()) {
    std::vector<std::string> names(kStages.size());
    std::transform(kStages.begin(), kStages.end(), names.begin(), [](const NamedStage& known) { return known.name; });
    usage_error("there is no stage '{}'{}", stage, suggestion(stage, names));
  }
  EscapeMask escapes;
  const Trace trace = parse_trace(logged.text, &escapes);
  try {
    std::string text = lower_to_text(trace, escapes, found->stage);
    if (!text.ends_with('\n')) text += '\n';
    return text;
  } catch (const CompileError& error) {
    usage_error("{} cannot be compiled: {}", logged.name(), error.what());
  }
}

}  // namespace swage::tool
