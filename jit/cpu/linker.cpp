#include <jit/cpu/linker.hpp>

#include <atomic>

#include <llvm/ExecutionEngine/Orc/LLJIT.h>
#include <llvm/ExecutionEngine/Orc/ObjectLinkingLayer.h>
#include <llvm/Support/Error.h>
#include <llvm/Support/MemoryBuffer.h>

#include <runtime/core/error.hpp>

namespace swage::jit {
namespace orc = llvm::orc;

namespace {

void check(llvm::Error error) {
  if (error) throw CompileError("linking failed: " + llvm::toString(std::move(error)));
}
template <class T>
T check(llvm::Expected<T> value) {
  if (!value) check(value.takeError());
  return std::move(*value);
}

}  // namespace

struct Linker::Impl {
  std::unique_ptr<orc::LLJIT> jit;
  std::atomic<std::uint64_t> count{0};
};

namespace {

class JitCode final : public LinkedCode {
 public:
  JitCode(std::shared_ptr<Linker::Impl> linker, orc::JITDylib& dylib) : linker_(std::move(linker)), dylib_(dylib) {}
  ~JitCode() override { llvm::consumeError(linker_->jit->getExecutionSession().removeJITDylib(dylib_)); }
  JitCode(const JitCode&) = delete;
  JitCode& operator=(const JitCode&) = delete;

 private:
  std::shared_ptr<Linker::Impl> linker_;
  orc::JITDylib& dylib_;
};

}  // namespace

Linker::Linker() : impl_(std::make_shared<Impl>()) {
  orc::LLJITBuilder builder;
  builder.setPlatformSetUp(orc::setUpInactivePlatform);
  builder.setLinkProcessSymbolsByDefault(false);
  builder.setObjectLinkingLayerCreator(
      [](orc::ExecutionSession& session) { return std::make_unique<orc::ObjectLinkingLayer>(session); });
  impl_->jit = check(builder.create());
}

Linker::~Linker() = default;

std::unique_ptr<LinkedCode> Linker::link(std::unique_ptr<llvm::MemoryBuffer> object, std::span<const std::string> names) {
  orc::ExecutionSession& session = impl_->jit->getExecutionSession();
  orc::JITDylib& dylib = session.createBareJITDylib("plan" + std::to_string(impl_->count++));
  auto code = std::make_unique<JitCode>(impl_, dylib);
  check(impl_->jit->addObjectFile(dylib, std::move(object)));
  for (const std::string& name : names) {
    const orc::ExecutorAddr address = check(impl_->jit->lookup(dylib, name));
    code->addresses.push_back(address.toPtr<void*>());
  }
  return code;
}

}  // namespace swage::jit
