#include <jit/cpu/backend.hpp>

#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>
#include <llvm/Support/MemoryBuffer.h>
#include <llvm/Support/raw_ostream.h>
#include <mlir/IR/BuiltinOps.h>
#include <mlir/IR/MLIRContext.h>
#include <mlir/IR/OwningOpRef.h>

#include <jit/cpu/codegen.hpp>
#include <jit/cpu/emit.hpp>
#include <jit/cpu/lower.hpp>
#include <jit/cpu/target.hpp>

namespace swage::jit {
namespace {

// A context keeps every constant that it ever saw: it is renewed now and then.
constexpr int kCompilesPerContext = 256;

std::string function_name(std::size_t k) { return "group_" + std::to_string(k); }

}  // namespace

struct CpuBackend::Impl {
  std::unique_ptr<mlir::MLIRContext> context = make_context();
  Codegen codegen;
  int compiles = 0;

  mlir::OwningOpRef<mlir::ModuleOp> emit(std::span<const Program* const> programs) {
    if (++compiles % kCompilesPerContext == 0) context = make_context();
    mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(mlir::UnknownLoc::get(context.get()));
    for (std::size_t k = 0; k < programs.size(); ++k) emit_group(*module, function_name(k), *programs[k], code_target().avx512);
    return module;
  }
};

CpuBackend::CpuBackend() = default;
CpuBackend::~CpuBackend() = default;

CpuBackend::Impl& CpuBackend::impl() {
  if (!impl_) impl_ = std::make_unique<Impl>();
  return *impl_;
}

std::vector<CodeImage> CpuBackend::generate(std::span<const Program* const> programs) {
  std::vector<CodeImage> images(programs.size());
  // Strength reduction is the dearest pass, and only the nested loops of columns run faster for it: they get a module of
  // their own.
  for (const bool columns : {false, true}) {
    std::vector<std::size_t> groups;
    std::vector<const Program*> chosen;
    std::vector<std::string> names;
    for (std::size_t k = 0; k < programs.size(); ++k) {
      if ((programs[k]->form == Form::columns) != columns) continue;
      names.push_back(function_name(groups.size()));
      groups.push_back(k);
      chosen.push_back(programs[k]);
    }
    if (groups.empty()) continue;
    auto module = impl().emit(chosen);
    llvm::LLVMContext context;
    const auto translated = lower(*module, context);
    impl().codegen.prepare(*translated);
    const auto object = impl().codegen.object(*translated, columns);
    std::vector<CodeImage> made = images_of({object->getBufferStart(), object->getBufferSize()}, names);
    for (std::size_t k = 0; k < groups.size(); ++k) images[groups[k]] = std::move(made[k]);
  }
  return images;
}

std::string CpuBackend::text(std::span<const Program* const> programs, Text stage) {
  auto module = impl().emit(programs);
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (stage == Text::mlir) {
    module->print(stream);
    return text;
  }
  llvm::LLVMContext context;
  const auto translated = lower(*module, context);
  impl().codegen.prepare(*translated);
  if (stage == Text::assembly) return impl().codegen.assembly(*translated);
  translated->print(stream, nullptr);
  return text;
}

}  // namespace swage::jit
