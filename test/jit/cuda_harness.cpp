#include <test/jit/cuda_harness.hpp>

#include <algorithm>
#include <cstdlib>
#include <dlfcn.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include <fmt/format.h>

#include <runtime/engine/interpreter.hpp>
#include <test/jit/harness.hpp>
#include <test/jit/host_shim.hpp>

namespace swage::test {
namespace {

namespace fs = std::filesystem;

// No contraction, as everywhere; -mfma only makes `fmaf` an instruction.
constexpr std::string_view kFlags = "-std=c++20 -O1 -fPIC -shared -ffp-contract=off -mavx2 -mfma -Wall -Werror";

constexpr unsigned kMostBlocks = 3;  // so that each goes on to further units

std::string text_of(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

}  // namespace

HostLibrary::HostLibrary(const std::string& source) {
  std::string folder = (fs::temp_directory_path() / "swage-shim-XXXXXX").string();
  if (!mkdtemp(folder.data())) throw std::runtime_error("no temporary folder");
  std::ofstream(folder + "/kernels.cpp") << source;
  const char* chosen = std::getenv("CXX");
  const std::string command =
      fmt::format("{0} {1} -o {2}/kernels.so {2}/kernels.cpp 2> {2}/log", chosen && *chosen ? chosen : "g++", kFlags, folder);
  const int status = std::system(command.c_str());  // NOLINT(bugprone-command-processor): its words are ours
  if (status == 0) handle_ = dlopen((folder + "/kernels.so").c_str(), RTLD_NOW | RTLD_LOCAL);
  const std::string log = text_of(folder + "/log");
  fs::remove_all(folder);
  if (!handle_) throw std::runtime_error(fmt::format("{}\n{}", command, log));
}

HostLibrary::~HostLibrary() { dlclose(handle_); }

void* HostLibrary::function(const std::string& name) const {
  void* found = dlsym(handle_, name.c_str());
  if (!found) throw std::runtime_error("there is no " + name);
  return found;
}

void CudaBatch::add(const Trace& trace, const EscapeMask& escapes) {
  Case& added = cases_.emplace_back(Case{trace, escapes, plan_groups(trace, escapes, jit::Lone::to_groups), {}});
  for (const jit::Program* program : added.planned.distinct) {
    const auto known = std::find(programs_.begin(), programs_.end(), *program);
    added.programs.push_back(static_cast<int>(known - programs_.begin()));
    if (known == programs_.end()) programs_.push_back(*program);
  }
}

const jit::cuda::Source& CudaBatch::source() {
  if (emitted_) return source_;
  std::vector<const jit::Program*> programs;
  for (const jit::Program& program : programs_) programs.push_back(&program);
  source_ = jit::cuda::emit_source(programs);
  emitted_ = true;
  return source_;
}

HostLibrary CudaBatch::host_library() {
  std::string text = kHostShim + source().text;
  for (const auto& kernel : source().kernels)
    if (kernel) text += fmt::format("SWAGE_LAUNCHER({})\n", kernel->name);
  return HostLibrary(text);
}

const jit::cuda::Kernel* CudaBatch::kernel(const Case& at, std::size_t group) const {
  const int unique = at.planned.unique[group];
  if (unique < 0) return nullptr;
  const auto& kernel = source_.kernels[static_cast<std::size_t>(at.programs[static_cast<std::size_t>(unique)])];
  return kernel ? &*kernel : nullptr;
}

CudaBatch::Count CudaBatch::count(std::size_t k) const {
  Count count;
  for (std::size_t g = 0; g < cases_[k].planned.grouping.groups.size(); ++g)
    ++(kernel(cases_[k], g) ? count.kernels : count.others);
  return count;
}

std::string CudaBatch::difference(std::size_t k, const HostLibrary& library, std::uint64_t seed, unsigned order) const {
  const Case& at = cases_[k];
  const Trace& trace = at.trace;
  const Inputs inputs(trace, seed);
  const Buffers expected(inputs), computed(inputs);
  const Interpreter interpreter(kernels());
  for (RecordIndex i = 0; i < trace.size(); ++i) interpreter.run(trace, i, inputs.values, expected.data);

  for (std::size_t g = 0; g < at.planned.grouping.groups.size(); ++g) {
    const jit::cuda::Kernel* kernel = this->kernel(at, g);
    if (!kernel) {
      for (RecordIndex i : at.planned.grouping.groups[g].records) interpreter.run(trace, i, inputs.values, computed.data);
      continue;
    }
    const jit::Binding& binding = at.planned.programs[g]->binding;
    std::vector<void*> addresses, arguments;
    for (const jit::Binding::Place& place : binding.pointers) {
      const auto start = result_offset(trace, place.origin, inputs.values) * static_cast<std::int64_t>(size_of(place.dtype));
      addresses.push_back(static_cast<char*>(computed.data[place.storage]) + start);
    }
    std::vector<ScalarValue> scalars;
    for (RecordIndex i : binding.scalars) scalars.push_back(inputs.values[i].scalar);
    for (void*& address : addresses) arguments.push_back(static_cast<void*>(&address));
    for (ScalarValue& scalar : scalars) arguments.push_back(&scalar);
    using Launch = int (*)(void**, unsigned, unsigned);
    const auto launch = reinterpret_cast<Launch>(library.function("launch_" + kernel->name));
    const auto blocks = static_cast<unsigned>(std::min<std::int64_t>(kernel->blocks(), kMostBlocks));
    if (launch(arguments.data(), blocks, order) != 0) return kernel->name + ": threads part at a barrier";
  }
  std::string found;
  for (RecordIndex s = 0; s < trace.size() && found.empty(); ++s)
    if (trace.storages[s] == s && (trace.is_input(s) || at.escapes.test(s)))
      found = test::difference(trace, s, expected.data[s], computed.data[s], computed.sizes[s]);
  return found;
}

}  // namespace swage::test
