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
#include <jit/cpu/linker.hpp>
#include <jit/cpu/lower.hpp>

namespace swage::jit {
namespace {

// A context keeps every constant that it ever saw: it is renewed now and then.
constexpr int kCompilesPerContext = 256;

std::string function_name(std::size_t k) { return "group_" + std::to_string(k); }

class LinkedGroups final : public NativeCode {
 public:
  explicit LinkedGroups(std::unique_ptr<LinkedCode> code) : code_(std::move(code)) {
    for (void* address : code_->addresses) functions.push_back(reinterpret_cast<GroupFunction>(address));
  }

 private:
  std::unique_ptr<LinkedCode> code_;
};

}  // namespace

struct CpuBackend::Impl {
  std::unique_ptr<mlir::MLIRContext> context = make_context();
  Codegen codegen;
  Linker linker;
  int compiles = 0;

  mlir::OwningOpRef<mlir::ModuleOp> emit(std::span<const Program* const> programs) {
    if (++compiles % kCompilesPerContext == 0) context = make_context();
    mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(mlir::UnknownLoc::get(context.get()));
    for (std::size_t k = 0; k < programs.size(); ++k) emit_group(*module, function_name(k), *programs[k], codegen.avx512());
    return module;
  }
};

CpuBackend::CpuBackend() : impl_(std::make_unique<Impl>()) {}
CpuBackend::~CpuBackend() = default;

std::unique_ptr<NativeCode> CpuBackend::compile(std::span<const Program* const> programs) {
  auto module = impl_->emit(programs);
  llvm::LLVMContext context;
  const auto translated = lower(*module, context);
  impl_->codegen.prepare(*translated);
  std::vector<std::string> names;
  for (std::size_t k = 0; k < programs.size(); ++k) names.push_back(function_name(k));
  return std::make_unique<LinkedGroups>(impl_->linker.link(impl_->codegen.object(*translated), names));
}

std::string CpuBackend::text(std::span<const Program* const> programs, Text stage) {
  auto module = impl_->emit(programs);
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (stage == Text::mlir) {
    module->print(stream);
    return text;
  }
  llvm::LLVMContext context;
  const auto translated = lower(*module, context);
  impl_->codegen.prepare(*translated);
  if (stage == Text::assembly) return impl_->codegen.assembly(*translated);
  translated->print(stream, nullptr);
  return text;
}

}  // namespace swage::jit
