#include <jit/cuda/source.hpp>

#include <fmt/format.h>
#include <mlir/IR/MLIRContext.h>
#include <mlir/IR/OwningOpRef.h>

#include <jit/cuda/emit.hpp>
#include <jit/cuda/lower.hpp>
#include <runtime/core/error.hpp>

namespace swage::jit::cuda {
namespace {

// NVRTC has no standard headers.
constexpr std::string_view kTypes = R"(#ifdef __CUDACC_RTC__
typedef signed char int8_t;
typedef unsigned char uint8_t;
typedef int int32_t;
typedef unsigned int uint32_t;
typedef long long int64_t;
typedef unsigned long long uint64_t;
#else
#include <cstdint>
#endif
)";

}  // namespace

Source emit_source(std::span<const Program* const> programs) {
  const auto context = make_context();
  Source source;
  source.text = kTypes;
  for (const Program* program : programs) {
    // A module each: what cannot be emitted leaves nothing behind.
    mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(mlir::UnknownLoc::get(context.get()));
    std::optional<Kernel> kernel;
    std::string refusal;
    try {
      kernel = emit_kernel(*module, fmt::format("group_{}", source.kernels.size()), *program);
      source.text += to_cpp(*module);
    } catch (const CompileError& error) {
      kernel.reset();
      refusal = error.what();
    }
    source.kernels.push_back(std::move(kernel));
    source.refusals.push_back(std::move(refusal));
  }
  return source;
}

}  // namespace swage::jit::cuda
