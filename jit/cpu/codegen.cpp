#include <jit/cpu/codegen.hpp>

#include <mutex>

#include <llvm/ADT/SmallVector.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/IR/Module.h>
#include <llvm/MC/MCContext.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Support/CodeGen.h>
#include <llvm/Support/CommandLine.h>
#include <llvm/Support/SmallVectorMemoryBuffer.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Target/TargetMachine.h>
#include <llvm/Target/TargetOptions.h>
#include <llvm/TargetParser/Host.h>
#include <llvm/TargetParser/Triple.h>

#include <jit/cpu/target.hpp>
#include <runtime/core/error.hpp>

namespace swage::jit {
namespace {

// Passes that cost up to a third of the time and gained nothing on loops of vectors. They can be named only through options of
// the process, which are read while a pipeline is put together.
void set_option(llvm::StringRef name, bool value) {
  auto& options = llvm::cl::getRegisteredOptions();
  const auto found = options.find(name);
  if (found != options.end()) static_cast<llvm::cl::opt<bool>*>(found->second)->setValue(value);
}

std::mutex pipeline_mutex;

}  // namespace

Codegen::Codegen() {
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  const llvm::Triple triple(llvm::sys::getProcessTriple());
  std::string error;
  const llvm::Target* target = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target) throw CompileError("no code generator for this machine: " + error);
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Strict;
  options.EnableFastISel = false;
  // The CPU's name only chooses the scheduling model; the features decide which instructions may appear.
  machine_.reset(target->createTargetMachine(triple, "x86-64", code_target().features, options, llvm::Reloc::PIC_,
                                             llvm::CodeModel::Small, llvm::CodeGenOptLevel::Less, /*JIT=*/true));
  if (!machine_) throw CompileError("no target machine for " + triple.str());
}

Codegen::~Codegen() = default;

void Codegen::prepare(llvm::Module& module) const {
  module.setTargetTriple(machine_->getTargetTriple());
  module.setDataLayout(machine_->createDataLayout());
  for (llvm::Function& function : module) {
    if (function.isDeclaration()) continue;
    function.setDoesNotThrow();
    if (code_target().avx512) {
      function.addFnAttr("prefer-vector-width", "512");
      function.addFnAttr("min-legal-vector-width", "512");
    }
  }
}

std::unique_ptr<llvm::MemoryBuffer> Codegen::object(llvm::Module& module, bool strength_reduction) const {
  llvm::SmallVector<char, 0> code;
  llvm::raw_svector_ostream stream(code);
  llvm::legacy::PassManager passes;
  llvm::MCContext* context = nullptr;
  {
    const std::lock_guard lock(pipeline_mutex);
    set_option("disable-lsr", !strength_reduction);
    set_option("enable-misched", false);
    set_option("disable-machine-cse", true);
    if (machine_->addPassesToEmitMC(passes, context, stream, /*DisableVerify=*/true))
      throw CompileError("this machine's code generator emits no objects");
  }
  passes.run(module);
  return std::make_unique<llvm::SmallVectorMemoryBuffer>(std::move(code), /*RequiresNullTerminator=*/false);
}

std::string Codegen::assembly(llvm::Module& module) const {
  llvm::SmallVector<char, 0> text;
  llvm::raw_svector_ostream stream(text);
  llvm::legacy::PassManager passes;
  if (machine_->addPassesToEmitFile(passes, stream, nullptr, llvm::CodeGenFileType::AssemblyFile))
    throw CompileError("this machine's code generator emits no assembly");
  passes.run(module);
  return std::string(text.begin(), text.end());
}

}  // namespace swage::jit
