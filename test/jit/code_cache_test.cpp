// Code is generated once a program, whatever traces it occurs in.
#include <jit/cache/code_cache.hpp>

#include <functional>
#include <set>

#include <gtest/gtest.h>

#include <jit/cache/program_key.hpp>
#include <jit/compiler.hpp>
#include <jit/groups.hpp>
#include <runtime/core/error.hpp>
#include <test/jit/harness.hpp>
#include <test/jit/trace_builder.hpp>

namespace swage::test {
namespace {

using jit::CodeCache;
using jit::CodeImage;
using jit::CodePages;
using jit::Program;

// A row-wise softmax and, for each extent given, a chain on a vector of so many elements.
Trace softmax_and_chains(std::span<const std::int64_t> extents, EscapeMask& escapes) {
  TraceBuilder t;
  const auto x = t.input(DType::f32, {7, 40});
  const auto e = t.op(Op::exp, {t.op(Op::sub, {x, t.reduce(Op::amax, x, {1}, true)})});
  t.escape(t.op(Op::div, {e, t.reduce(Op::sum, e, {1}, true)}));
  for (std::int64_t extent : extents) {
    const auto y = t.input(DType::f32, {extent});
    t.escape(t.op(Op::tanh, {t.op(Op::mul, {y, Arg::scalar_slot()})}));
  }
  return t.finish(escapes);
}

Program program_of(const Trace& trace, const EscapeMask& escapes) { return *jit::plan_groups(trace, escapes).distinct.at(0); }

TEST(CodeCache, TracesThatShareGroupsShareTheirCode) {
  const auto compiler = make_cpu_compiler();
  EscapeMask escapes;
  const Trace first = softmax_and_chains(std::vector<std::int64_t>{100}, escapes);
  EXPECT_EQ(compiler->compile(first, escapes).generated, 2u);
  EXPECT_EQ(compiler->compile(first, escapes).generated, 0u);
  const Trace second = softmax_and_chains(std::vector<std::int64_t>{100, 200}, escapes);
  EXPECT_FALSE(compiler->recall(second, escapes));
  EXPECT_EQ(compiler->compile(second, escapes).generated, 1u);
  const auto recalled = compiler->recall(second, escapes);
  ASSERT_TRUE(recalled);
  EXPECT_EQ(recalled->generated, 0u);
  EXPECT_EQ(recalled->groups, 3u);
}

TEST(CodeCache, SharedCodeGivesTheSameBits) {
  EscapeMask escapes;
  for (std::vector<std::int64_t> extents : {std::vector<std::int64_t>{100}, {33, 100}, {100, 33, 7}, {100}}) {
    const Trace trace = softmax_and_chains(extents, escapes);
    EXPECT_EQ(compare(trace, escapes).difference, "");
  }
}

TEST(CodeCache, PlansOutliveWhatIsForgotten) {
  EscapeMask escapes;
  const Trace trace = softmax_and_chains(std::vector<std::int64_t>{100}, escapes);
  auto compiler = make_cpu_compiler();
  const CompileResult result = compiler->compile(trace, escapes);
  compiler->forget();
  EXPECT_FALSE(compiler->recall(trace, escapes));
  compiler.reset();
  const Inputs inputs(trace, 1);
  std::vector<std::vector<std::uint8_t>> contents = inputs.contents;
  std::vector<void*> storages;
  for (auto& bytes : contents) {
    bytes.resize(bytes.size() + 64);
    storages.push_back(bytes.data());
  }
  std::vector<std::uint8_t> arena(result.plan->arena_bytes() + 128);
  const auto address = (reinterpret_cast<std::uintptr_t>(arena.data()) + 63) / 64 * 64;
  result.plan->run({inputs.values, storages, reinterpret_cast<void*>(address)});  // NOLINT(performance-no-int-to-ptr)
}

TEST(CodeCache, IsBoundedAndDropsTheLeastRecentlyUsed) {
  const CodeImage image{std::string(100, '\xC3'), 0};
  const auto pages = std::make_shared<const CodePages>(std::span(&image, 1));
  const jit::NativeFunction function{reinterpret_cast<jit::GroupFunction>(pages->entry(0)), pages};
  CodeCache cache({.programs = 2, .bytes = std::size_t{1} << 30});
  cache.add("a", function);
  cache.add("b", function);
  EXPECT_TRUE(cache.find("a").call);
  cache.add("c", function);
  EXPECT_TRUE(cache.find("a").call);
  EXPECT_FALSE(cache.find("b").call);
  EXPECT_TRUE(cache.find("c").call);
  CodeCache small({.programs = 100, .bytes = 2 * pages->bytes()});
  for (const char* key : {"a", "b", "c"}) small.add(key, function);
  EXPECT_EQ(small.size(), 2u);
}

// A change anywhere in a program is another key.
TEST(ProgramKey, CoversEveryMember) {
  EscapeMask escapes;
  const Program program = program_of(softmax_and_chains({}, escapes), escapes);
  std::vector<std::function<void(Program&)>> changes = {
      [](Program& p) { p.form = jit::Form::columns; },
      [](Program& p) { p.outer.push_back(2); },
      [](Program& p) { p.inner[0] += 16; },
      [](Program& p) { p.columns += 1; },
      [](Program& p) { p.strip += 1; },
      [](Program& p) { p.split = true; },
      [](Program& p) { p.passes += 1; },
      [](Program& p) { p.n_scalars += 1; },
      [](Program& p) { p.pointers.pop_back(); },
      [](Program& p) { p.pointers[0].dtype = DType::f64; },
      [](Program& p) { p.pointers[0].outer[0] += 1; },
      [](Program& p) { p.pointers[0].inner[0] += 1; },
      [](Program& p) { p.pointers[0].vector.push_back(1); },
      [](Program& p) { p.pointers[0].written = !p.pointers[0].written; },
      [](Program& p) { p.nodes.pop_back(); },
      [](Program& p) { p.nodes[1].kind = jit::Node::Kind::literal; },
      [](Program& p) { p.nodes[1].op = Op::cos; },
      [](Program& p) { p.nodes[1].dtype = DType::f64; },
      [](Program& p) { p.nodes[1].level = p.nodes[1].level == jit::Level::row ? jit::Level::inner : jit::Level::row; },
      [](Program& p) { p.nodes[1].scalar_class = DType::i64; },
      [](Program& p) { p.nodes[1].index += 1; },
      [](Program& p) { p.nodes[1].pass += 1; },
      [](Program& p) { p.nodes[1].kept_from += 2; },
      [](Program& p) { p.nodes[1].real = -0.0; },
      [](Program& p) { p.nodes[1].args[0] += 1; },
      [](Program& p) { p.nodes[1].args[1] += 1; },
      [](Program& p) { p.nodes[1].args[2] += 1; },
      [](Program& p) { p.stores.push_back({}); },
      [](Program& p) { p.stores[0].pointer += 1; },
      [](Program& p) { p.stores[0].node += 1; },
      [](Program& p) { p.stores[0].pass += 1; },
  };
  std::set<std::string> keys = {jit::program_key(program)};
  for (std::size_t i = 0; i < changes.size(); ++i) {
    Program changed = program;
    changes[i](changed);
    EXPECT_FALSE(changed == program) << "change " << i;
    EXPECT_TRUE(keys.insert(jit::program_key(changed)).second) << "change " << i;
  }
  EXPECT_EQ(jit::program_key(program_of(softmax_and_chains({}, escapes), escapes)), jit::program_key(program));
}

TEST(CodeImages, AreRefusedWhereTheyAreNoObject) {
  const std::vector<std::string> names = {"group_0"};
  EXPECT_THROW(jit::images_of("", names), CompileError);
  EXPECT_THROW(jit::images_of(std::string(64, 'x'), names), CompileError);
}

}  // namespace
}  // namespace swage::test
