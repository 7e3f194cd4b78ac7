// Code that families have made for any size serves other structures too, and a plan need not have all of its code.
#include <jit/generic.hpp>

#include <gtest/gtest.h>

#include <jit/compiler.hpp>
#include <jit/groups.hpp>
#include <test/jit/harness.hpp>
#include <test/jit/trace_builder.hpp>

namespace swage::test {
namespace {

struct Made {
  Trace trace;
  EscapeMask escapes;
};

// Layers of these widths on a batch of 24, each with a bias and relu, and the biases' gradients of a loss that is the sum. `unlike`: the last
// layer ends in what no other has.
Made layers(const std::vector<std::int64_t>& widths, bool unlike = false) {
  TraceBuilder t;
  auto x = t.input(DType::f32, {24, widths[0]});
  for (std::size_t k = 1; k < widths.size(); ++k) {
    const auto w = t.input(DType::f32, {widths[k - 1], widths[k]}), b = t.input(DType::f32, {widths[k]});
    x = t.op(Op::relu, {t.op(Op::add, {t.op(Op::matmul, {x, w}), b})});
    t.escape(t.reduce(Op::sum, t.op(Op::mul, {x, Arg::scalar_slot()}), {0}, false));
  }
  if (unlike) x = t.op(Op::sin, {t.op(Op::exp, {x})});
  t.escape(x);
  Made made;
  made.trace = t.finish(made.escapes);
  return made;
}

std::string difference_of(const Made& made, Plan& plan) {
  for (const std::uint64_t seed : {1, 2})
    if (const auto found = jit::compare_with_interpreter(made.trace, plan, kernels(), seed)) return found->words;
  return "";
}

struct Generic : ::testing::Test {
  std::unique_ptr<Compiler> compiler = make_cpu_compiler();
  CompileResult compile(const Made& made) { return compiler->compile(made.trace, made.escapes); }
};

TEST_F(Generic, ALayerMoreRunsTheCodeOfThoseThatWereWidened) {
  compile(layers({64, 32, 10}));
  EXPECT_FALSE(compiler->recall(layers({64, 48, 48, 10}).trace, layers({64, 48, 48, 10}).escapes))
      << "one width is no family yet";
  compile(layers({64, 48, 10}));
  for (const std::int64_t width : {48, 80, 33, 16}) {
    const Made deeper = layers({64, width, width, 10});
    const auto recalled = compiler->recall(deeper.trace, deeper.escapes);
    ASSERT_TRUE(recalled) << width;
    EXPECT_EQ(recalled->generated, 0u);
    EXPECT_EQ(recalled->pending_ops, 0u);
    EXPECT_EQ(difference_of(deeper, *recalled->plan), "") << width;
  }
}

TEST_F(Generic, OnlyWhatIsNewRunsByKernels) {
  compile(layers({64, 32, 10}));
  compile(layers({64, 48, 10}));
  const Made other = layers({64, 48, 48, 10}, true);
  EXPECT_FALSE(compiler->recall(other.trace, other.escapes));
  const auto partly = compiler->recall_partly(other.trace, other.escapes);
  ASSERT_TRUE(partly);
  EXPECT_GT(partly->pending_ops, 0u);
  EXPECT_LE(partly->pending_ops, 6u) << "the last layer's";
  EXPECT_GE(partly->groups, 2u);
  EXPECT_EQ(difference_of(other, *partly->plan), "");
  EXPECT_GT(compile(other).generated, 0u);
  const auto whole = compiler->recall_partly(other.trace, other.escapes);
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->pending_ops, 0u);
}

TEST_F(Generic, NoPlanWhereNothingIsKnown) {
  const Made made = layers({64, 32, 10});
  EXPECT_FALSE(compiler->recall_partly(made.trace, made.escapes));
  compile(layers({64, 48, 10}));
  compiler->forget();
  EXPECT_FALSE(compiler->recall_partly(layers({64, 48, 10}).trace, layers({64, 48, 10}).escapes));
}

// The numbers of a program, given to code whose symbols stand where they differ.
TEST(BindSymbols, ConsistentNumbersAlone) {
  using jit::symbol;
  jit::Program program;
  program.form = jit::Form::rows;
  program.outer = {6};
  program.inner = {20};
  program.pointers = {{DType::f32, {20}, {1}, {}, false}, {DType::f32, {40}, {2}, {}, true}};
  jit::Program code = program;
  code.inner[0] = symbol(0);
  code.pointers[0].outer[0] = symbol(0);
  code.pointers[1].outer[0] = symbol(1);
  code.n_symbols = 2;
  const auto values = jit::bind_symbols(code, program);
  ASSERT_TRUE(values);
  EXPECT_EQ(values->at(0).integer, 20);
  EXPECT_EQ(values->at(1).integer, 40);
  jit::Program padded = program;
  padded.pointers[0].outer[0] = 24;
  EXPECT_FALSE(jit::bind_symbols(code, padded)) << "one symbol, two numbers";
  jit::Program taller = program;
  taller.outer[0] = 7;
  EXPECT_FALSE(jit::bind_symbols(code, taller)) << "no symbol stands there";
  jit::Program still = program;
  still.pointers[1].outer[0] = 0;
  EXPECT_FALSE(jit::bind_symbols(code, still)) << "results that do not move";
}

}  // namespace
}  // namespace swage::test
