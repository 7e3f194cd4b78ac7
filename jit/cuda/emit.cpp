#include <jit/cuda/emit.hpp>

#include <algorithm>

#include <mlir/Dialect/SCF/IR/SCF.h>

#include <jit/cuda/kernel_emitter.hpp>

namespace swage::jit::cuda {

KernelEmitter::KernelEmitter(mlir::OpBuilder& builder, mlir::emitc::FuncOp function, const Program& program)
    : program_(program),
      builder_(builder),
      location_(function.getLoc()),
      entry_(*function.addEntryBlock()),
      n_(program.inner.product()),
      row_(program.nodes.size()),
      here_(program.nodes.size()),
      row_offsets_(program.pointers.size()) {}

Kernel KernelEmitter::run() {
  builder_.setInsertionPointToStart(&entry_);
  const EmitScope scope(builder_, location_, 1);
  find_needed();
  Kernel kernel;
  if (program_.reductions() == 0) {
    kernel.units = program_.outer.product() * n_;
    kernel.units_per_block = Kernel::kThreads;
    uniform_values();
    const Value first = add(multiply(builtin("blockIdx.x"), Kernel::kThreads), builtin("threadIdx.x"));
    elements(first, multiply(builtin("gridDim.x"), Kernel::kThreads));
  } else {
    arrange_teams();
    kernel.units = rows_;
    kernel.units_per_block = teams_;
    uniform_values();
    all_rows();
  }
  mlir::emitc::ReturnOp::create(builder_, location_, Value());
  return kernel;
}

void KernelEmitter::elements(Value first, Value step) {
  loop(first, integer(program_.outer.product() * n_), step, [&](Value element) {
    enter_row(divide(element, n_));
    start_element(program_.outer.empty() ? element : remainder(element, n_));
    store_elements(0);
  });
}

KernelEmitter::Values KernelEmitter::loop(Value begin, Value end, Value step, const Values& carried,
                                          const std::function<Values(Value, mlir::ValueRange)>& body) {
  auto op = mlir::scf::ForOp::create(builder_, location_, begin, end, step, carried);
  const mlir::OpBuilder::InsertionGuard guard(builder_);
  builder_.setInsertionPointToStart(op.getBody());
  const Values results = body(op.getInductionVar(), op.getRegionIterArgs());
  if (!carried.empty()) mlir::scf::YieldOp::create(builder_, location_, results);
  return Values(op.getResults());
}

void KernelEmitter::loop(Value begin, Value end, Value step, const std::function<void(Value)>& body) {
  loop(begin, end, step, {}, [&](Value i, mlir::ValueRange) {
    body(i);
    return Values();
  });
}

void KernelEmitter::only_if(Value condition, const std::function<void()>& body) {
  auto op = mlir::scf::IfOp::create(builder_, location_, condition, /*withElseRegion=*/false);
  const mlir::OpBuilder::InsertionGuard guard(builder_);
  builder_.setInsertionPointToStart(&op.getThenRegion().front());
  body();
}

namespace {

mlir::emitc::FuncOp make_function(mlir::ModuleOp module, llvm::StringRef name, const Program& program) {
  mlir::OpBuilder builder = mlir::OpBuilder::atBlockEnd(module.getBody());
  const mlir::Location location = builder.getUnknownLoc();
  llvm::SmallVector<mlir::Type> arguments;
  for (const Pointer& pointer : program.pointers) arguments.push_back(address_type(builder, pointer.dtype, pointer.written));
  std::vector<DType> classes(static_cast<std::size_t>(program.n_scalars), DType::f64);
  for (const Node& node : program.nodes)
    if (node.kind == Node::Kind::slot) classes[static_cast<std::size_t>(node.index)] = node.scalar_class;
  for (DType scalar_class : classes) arguments.push_back(element_type(builder, scalar_class));
  mlir::emitc::VerbatimOp::create(builder, location, "\n// " + to_string(program));
  const auto function =
      mlir::emitc::FuncOp::create(builder, location, name, builder.getFunctionType(arguments, mlir::TypeRange()));
  return function;
}

}  // namespace

Kernel emit_kernel(mlir::ModuleOp module, const std::string& name, const Program& program) {
  mlir::emitc::FuncOp function = make_function(module, name, program);
  mlir::OpBuilder builder(module.getContext());
  function.setSpecifiersAttr(
      builder.getStrArrayAttr({"extern \"C\"", "__global__", "__launch_bounds__(" + std::to_string(Kernel::kThreads) + ")"}));
  Kernel kernel = KernelEmitter(builder, function, program).run();
  kernel.name = name;
  return kernel;
}

}  // namespace swage::jit::cuda
