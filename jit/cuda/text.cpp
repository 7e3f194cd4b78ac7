#include <jit/cuda/text.hpp>

#include <fmt/format.h>

#include <jit/cuda/nvrtc.hpp>
#include <jit/cuda/source.hpp>
#include <jit/groups.hpp>

namespace swage::jit::cuda {
namespace {

const char* why_by_itself(Op op) {
  switch (kind_of(op)) {
    case OpKind::contraction: return "a contraction is a library call";
    case OpKind::random: return "random numbers have a kernel of their own";
    case OpKind::index: return "addresses that depend on data have a kernel of their own";
    default: return "it fits no loop nest";  // argmax, iota, nothing to compute, or a note below says why
  }
}

// What becomes of group `g`: the name of its kernel, or why it has none.
std::string fate(const Trace& trace, const PlannedGroups& planned, const Source& source, std::size_t g) {
  const Group& group = planned.grouping.groups[g];
  if (group.library) return fmt::format("not lowered: {}", why_by_itself(trace.keys[group.records[0]].op));
  if (planned.unique[g] < 0) return "not lowered: it writes nothing that is read later";
  const auto k = static_cast<std::size_t>(planned.unique[g]);
  return source.kernels[k] ? source.kernels[k]->name : "not lowered: " + source.refusals[k];
}

}  // namespace

std::string to_text(const Trace& trace, const EscapeMask& escapes, Stage stage) {
  const PlannedGroups planned = plan_groups(trace, escapes, Lone::to_groups);
  const Source source = emit_source(planned.distinct);
  std::string text;
  for (std::size_t g = 0; g < planned.grouping.groups.size(); ++g) {
    if (planned.grouping.groups[g].records.empty()) continue;
    text += fmt::format("// group {}:", g);
    for (RecordIndex i : planned.grouping.groups[g].records) text += fmt::format(" %{} {}", i, name_of(trace.keys[i].op));
    text += fmt::format(" — {}\n", fate(trace, planned, source, g));
  }
  for (const std::string& note : planned.grouping.notes) text += fmt::format("// {}\n", note);
  if (stage == Stage::cuda) return text + source.text;
  const Nvrtc& nvrtc = Nvrtc::instance();
  const DeviceCode code = nvrtc.compile(source.text);
  return text + fmt::format("// NVRTC {}, {} bytes of machine code\n", nvrtc.version(), code.cubin.size()) + code.ptx;
}

}  // namespace swage::jit::cuda
