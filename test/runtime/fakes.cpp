#include <test/runtime/fakes.hpp>

#include <cstring>

#include <runtime/core/allocator.hpp>
#include <runtime/core/error.hpp>
#include <runtime/engine/interpreter.hpp>

namespace swage::fake {
namespace {

// Address of the element at `index` (of shape `dims`) in a view that broadcasts to it from the right.
template <class T>
T& element(const KernelView& view, const Dims& index) {
  std::int64_t offset = 0;
  const int lead = index.rank() - view.desc->rank();
  for (int d = 0; d < view.desc->rank(); ++d)
    if (view.desc->dims[d] != 1) offset += index[d + lead] * view.desc->strides[d];
  return static_cast<T*>(view.data)[offset];
}

template <class F>
void for_each_index(const Dims& dims, F&& f) {
  if (dims.product() == 0) return;
  Dims index;
  index.resize(dims.rank());
  for (;;) {
    f(index);
    int d = dims.rank() - 1;
    for (; d >= 0; --d) {
      if (++index[d] < dims[d]) break;
      index[d] = 0;
    }
    if (d < 0) return;
  }
}

template <class F>
void pointwise(const KernelArgs& args, F&& f) {
  control().now_ns += control().kernel_ns;
  std::vector<float> out;  // operands may overlap a result written in place
  const Dims& dims = args.result.desc->dims;
  for_each_index(dims, [&](const Dims& index) {
    float x[3] = {};
    for (int k = 0; k < args.key->n_operands; ++k)
      x[k] = args.operands[k].desc ? element<float>(args.operands[k], index) : scalar_operand(args, k).as<float>();
    out.push_back(f(x));
  });
  std::size_t i = 0;
  for_each_index(dims, [&](const Dims& index) { element<float>(args.result, index) = out[i++]; });
}

template <int op>
void run(const KernelArgs& args) {
  pointwise(args, [](const float* x) {
    switch (static_cast<Op>(op)) {
      case Op::add: return x[0] + x[1];
      case Op::sub: return x[0] - x[1];
      case Op::mul: return x[0] * x[1];
      case Op::neg: return -x[0];
      case Op::assign: return x[1];
      default: return x[0];  // copy, full
    }
  });
}

void run_uniform(const KernelArgs& args) {
  std::int64_t i = args.offset;
  for_each_index(args.result.desc->dims, [&](const Dims& index) {
    element<float>(args.result, index) =
        static_cast<float>(mix_word(static_cast<std::uint64_t>(args.scalar.integer), static_cast<std::uint64_t>(i++)) >> 40);
  });
}

void run_sum(const KernelArgs& args) {
  float total = 0;
  for_each_index(args.operands[0].desc->dims, [&](const Dims& index) { total += element<float>(args.operands[0], index); });
  *static_cast<float*>(args.result.data) = total;
}

void run_gather(const KernelArgs& args) {
  const auto dim = static_cast<int>(args.attribute->ints[0]);
  for_each_index(args.result.desc->dims, [&](const Dims& index) {
    Dims from = index;
    from[dim] = element<std::int64_t>(args.operands[1], index);
    element<float>(args.result, index) = element<float>(args.operands[0], from);
  });
}

std::optional<std::string> check_gather(const KernelArgs& args) {
  const std::int64_t extent = args.operands[0].desc->dims[static_cast<int>(args.attribute->ints[0])];
  std::optional<std::string> wrong;
  for_each_index(args.operands[1].desc->dims, [&](const Dims& index) {
    const std::int64_t at = element<std::int64_t>(args.operands[1], index);
    if (at < 0 || at >= extent) wrong = "index " + std::to_string(at) + " is out of range";
  });
  return wrong;
}

class InterpretingPlan : public Plan {
 public:
  InterpretingPlan(const Trace& trace, const EscapeMask& escapes) : trace_(trace), kernels_(kernels()) {
    escapes_ = escapes;
    arena_bytes_ = 64;
  }
  std::optional<CheckFailure> check(const PlanFrame& frame) override {
    for (RecordIndex i = 0; i < trace_.size(); ++i)
      if (info(trace_.keys[i].op).checked && trace_.is_input(trace_.operand(i, 1)))
        if (auto failure = check_index(i, frame)) return failure;
    return std::nullopt;
  }
  void run(const PlanFrame& frame) override {
    ++control().plans_run;
    control().escapes_written = escapes_.count();
    std::vector<std::vector<char>> own(trace_.size());
    std::vector<void*> storages(frame.storages.begin(), frame.storages.end());
    for (RecordIndex i = 0; i < trace_.size(); ++i)
      if (trace_.storages[i] == i && !storages[i] && trace_.keys[i].op != Op::cut) {
        own[i].assign(static_cast<std::size_t>(desc_of(trace_.results[i]).numel()) * 8 + 8, '\xCD');
        storages[i] = own[i].data();
      }
    std::memset(frame.arena, 0xCD, 64);
    const Interpreter interpreter(kernels_);
    const std::uint64_t end = control().now_ns + control().plan_ns;
    for (RecordIndex i = 0; i < trace_.size(); ++i) interpreter.run(trace_, i, frame.values, storages);
    control().now_ns = end;
  }

 private:
  std::optional<CheckFailure> check_index(RecordIndex i, const PlanFrame& frame) {
    std::vector<void*> storages(frame.storages.begin(), frame.storages.end());
    return Interpreter(kernels_).check(trace_, i, frame.values, storages);
  }
  Trace trace_;
  KernelTable kernels_;
};

class FakeCompiler : public Compiler {
 public:
  CompileResult compile(const Trace& trace, const EscapeMask& escapes) override {
    if (control().refusals > 0) {
      --control().refusals;
      throw CompileError("refused by the test");
    }
    control().now_ns += control().compile_ns;
    CompileResult result;
    result.plan = std::make_unique<InterpretingPlan>(trace, escapes);
    return result;
  }
  std::optional<CompileResult> recall(const Trace& trace, const EscapeMask& escapes) override {
    if (!control().knows_code) return std::nullopt;
    control().now_ns += control().recall_ns;
    CompileResult result;
    result.plan = std::make_unique<InterpretingPlan>(trace, escapes);
    result.generated = 0;
    return result;
  }
  std::optional<CompileResult> recall_partly(const Trace& trace, const EscapeMask& escapes) override {
    if (control().knows_code || control().pending_ops == 0) return recall(trace, escapes);
    control().now_ns += control().recall_ns;
    CompileResult result;
    result.plan = std::make_unique<InterpretingPlan>(trace, escapes);
    result.generated = 0;
    result.pending_ops = control().pending_ops;
    return result;
  }
};

const bool wired = (wire_engine(&kernels, &make_compiler), true);

OpCall make_call(Op op, const std::vector<Array>& operands, const Attribute& attribute, CallSite site) {
  OpCall call;
  call.op = op;
  call.n_operands = static_cast<std::uint8_t>(operands.size());
  for (std::size_t k = 0; k < operands.size(); ++k) call.operands[k].value = operands[k].get();
  call.attr = intern(attribute);
  call.site = site;
  return call;
}

}  // namespace

KernelTable kernels() {
  KernelTable table;
  const auto set = [&](Op op, Kernel kernel) { table.run[static_cast<std::size_t>(op)] = kernel; };
  set(Op::add, run<static_cast<int>(Op::add)>);
  set(Op::sub, run<static_cast<int>(Op::sub)>);
  set(Op::mul, run<static_cast<int>(Op::mul)>);
  set(Op::neg, run<static_cast<int>(Op::neg)>);
  set(Op::assign, run<static_cast<int>(Op::assign)>);
  set(Op::copy, run<static_cast<int>(Op::copy)>);
  set(Op::full, run<static_cast<int>(Op::full)>);
  set(Op::uniform, run_uniform);
  set(Op::sum, run_sum);
  set(Op::gather, run_gather);
  table.check[static_cast<std::size_t>(Op::gather)] = check_gather;
  return table;
}

std::unique_ptr<Compiler> make_compiler() { return std::make_unique<FakeCompiler>(); }

Control& control() {
  static Control control;
  return control;
}

Array::Array(const Dims& dims, std::vector<float> data) {
  const std::size_t bytes = data.size() * sizeof(float);
  void* buffer = allocate_buffer(bytes);
  std::memcpy(buffer, data.data(), bytes);
  value_ = Stream::current().adopt_buffer(buffer, bytes, intern(DType::f32, dims), true);
}

Array Array::indices(const Dims& dims, std::vector<std::int64_t> data) {
  const std::size_t bytes = data.size() * sizeof(std::int64_t);
  void* buffer = allocate_buffer(bytes);
  std::memcpy(buffer, data.data(), bytes);
  return Array(Stream::current().adopt_buffer(buffer, bytes, intern(DType::i64, dims), true));
}

std::vector<float> Array::read() const {
  Stream::current().read(*value_, {});
  const KernelView view{value_->address(), &value_->view()};
  std::vector<float> out;
  for_each_index(view.desc->dims, [&](const Dims& index) { out.push_back(element<float>(view, index)); });
  return out;
}

Array call(Op op, std::vector<Array> operands, Attribute attribute, CallSite site) {
  return Array(Stream::current().emit(make_call(op, operands, attribute, site)));
}

Array with_scalar(Op op, const Array& a, Scalar scalar) {
  OpCall call = make_call(op, {a, a}, {}, {});
  call.operands[1] = {nullptr, kScalarSlot, DType::f64};
  call.scalar.real = scalar.value;
  return Array(Stream::current().emit(call));
}

Array with_literal(Op op, const Array& a, double literal) {
  Attribute attribute;
  attribute.real = literal;
  OpCall call = make_call(op, {a, a}, attribute, {});
  call.operands[1] = {nullptr, kLiteral, DType::f64};
  return Array(Stream::current().emit(call));
}

void in_place(Op op, const Array& a, const Array& b) {
  OpCall call = make_call(op, {a, b}, {}, {});
  call.in_place = true;
  Stream::current().emit(call);
}

void in_place(Op op, const Array& a, Scalar scalar) {
  OpCall call = make_call(op, {a, a}, {}, {});
  call.operands[1] = {nullptr, kScalarSlot, DType::f64};
  call.scalar.real = scalar.value;
  call.in_place = true;
  Stream::current().emit(call);
}

Array narrow(const Array& a, int dim, std::int64_t start, std::int64_t length) {
  Attribute attribute;
  attribute.ints = {dim, length};
  OpCall call = make_call(Op::narrow, {a}, attribute, {});
  call.start = start;
  return Array(Stream::current().emit(call));
}

Array draw(const Dims& dims) {
  Attribute attribute;
  attribute.ints.assign(dims.begin(), dims.end());
  return call(Op::uniform, {}, attribute);
}

void step() { Stream::current().cut(CutReason::step_end, {}); }

EngineTest::EngineTest() {
  set_engine_options(eager_to_compile());
  forget_traces();
  control() = {};
  Stream::current().set_random_state({1, 0});
}

EngineTest::~EngineTest() {
  forget_traces();
  set_engine_options({});
}

EngineOptions EngineTest::eager_to_compile() {
  EngineOptions options;
  options.background = false;
  options.runs_before_keeping = 2;
  options.runs_before_compiling = 2;
  options.weigh_cost = false;
  return options;
}

std::vector<std::vector<float>> EngineTest::repeat(int times, const std::function<std::vector<float>(int)>& program) {
  std::vector<std::vector<float>> all;
  for (int i = 0; i < times; ++i) all.push_back(program(i));
  return all;
}

std::uint64_t EngineTest::expect_same_in_all_tiers(int times, const std::function<std::vector<float>(int)>& program) {
  std::vector<std::vector<float>> expected;
  for (Tier tier : {Tier::eager, Tier::traced, Tier::compiled}) {
    EngineOptions options = eager_to_compile();
    options.tier = tier;
    set_engine_options(options);
    forget_traces();
    control() = {};
    Stream::current().set_random_state({7, 0});
    auto got = repeat(times, program);
    if (tier == Tier::eager)
      expected = std::move(got);
    else
      EXPECT_EQ(got, expected) << "tier " << static_cast<int>(tier);
  }
  return control().plans_run;
}

}  // namespace swage::fake
