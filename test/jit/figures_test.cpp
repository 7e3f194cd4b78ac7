// Compile times and the cost of running a plan, printed; bounds are loose, machines differ.
#include <algorithm>
#include <chrono>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <jit/compiler.hpp>
#include <runtime/core/allocator.hpp>
#include <runtime/engine/interpreter.hpp>
#include <test/jit/harness.hpp>
#include <test/jit/trace_builder.hpp>

namespace swage::test {
namespace {

Trace pointwise_chain(int ops, const Dims& dims, EscapeMask& escapes) {
  TraceBuilder t;
  RecordIndex x = t.input(DType::f32, dims);
  const RecordIndex y = t.input(DType::f32, dims);
  static const Op kOps[] = {Op::add, Op::mul, Op::sub, Op::maximum};
  for (int k = 0; k < ops; ++k)
    x = k % 5 == 4 ? t.op(Op::tanh, {x}) : t.op(kOps[k % 4], {x, k % 2 ? Arg(y) : Arg::scalar_slot()});
  t.escape(x);
  return t.finish(escapes);
}

double compile_ms(const Trace& trace, const EscapeMask& escapes) {
  double best = 1e9;
  for (int k = 0; k < 5; ++k) {
    compiler().forget();
    const auto start = std::chrono::steady_clock::now();
    compiler().compile(trace, escapes);
    best = std::min(best, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

TEST(Figures, CompileTimes) {
  for (int ops : {10, 100}) {
    EscapeMask escapes;
    const Trace trace = pointwise_chain(ops, {64, 100}, escapes);
    fmt::print("chain of {} ops: {:.1f} ms\n", ops, compile_ms(trace, escapes));
  }
  TraceBuilder t;
  for (std::int64_t k = 0; k < 10; ++k) {
    RecordIndex x = t.input(DType::f32, {32, 40 + k});
    x = t.op(Op::relu, {t.op(Op::add, {x, t.input(DType::f32, {40 + k})})});
    x = t.op(Op::sub, {x, t.reduce(Op::amax, x, {1}, true)});
    x = t.op(Op::exp, {x});
    x = t.op(Op::div, {x, t.reduce(Op::sum, x, {1}, true)});
    t.escape(x);
    t.escape(t.op(Op::mul, {t.reduce(Op::sum, t.op(Op::square, {x}), {0}, false), Arg::scalar(0.1)}));
  }
  EscapeMask escapes;
  const Trace trace = t.finish(escapes);
  const CompileResult result = compiler().compile(trace, escapes);
  fmt::print("{} ops in {} groups: {:.1f} ms\n", trace.n_ops(), result.groups, compile_ms(trace, escapes));
}

TEST(Figures, CostOfARun) {
  for (int groups : {1, 10, 100}) {
    TraceBuilder t;
    for (int k = 0; k < groups; ++k) {
      RecordIndex x = t.input(DType::f32, {1 + k});
      x = t.op(Op::add, {t.op(Op::mul, {x, Arg::scalar_slot()}), Arg::scalar_slot()});
      t.escape(x);
    }
    EscapeMask escapes;
    const Trace trace = t.finish(escapes);
    const CompileResult result = compiler().compile(trace, escapes);
    std::vector<ValueHalf> values(trace.size());
    std::vector<void*> storages(trace.size(), nullptr), owned;
    for (RecordIndex i = 0; i < trace.size(); ++i)
      if (trace.storages[i] == i && (trace.is_input(i) || escapes.test(i)))
        owned.push_back(storages[i] = allocate_buffer(1024));
    void* arena = allocate_buffer(result.plan->arena_bytes() + 1);
    const PlanFrame frame{values, storages, arena};
    constexpr int kRuns = 20000;
    const auto start = std::chrono::steady_clock::now();
    for (int k = 0; k < kRuns; ++k) result.plan->run(frame);
    const double us = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count() / kRuns;
    fmt::print("{} records, {} groups: {:.3f} us a run, {:.1f} ns a record\n", trace.size(), result.groups, us,
               1000 * us / static_cast<double>(trace.size()));
    free_buffer(arena, result.plan->arena_bytes() + 1);
    for (void* buffer : owned) free_buffer(buffer, 1024);
  }
}

// The same trace, compiled and by kernels, in ns an element.
void compare_speed(const char* name, TraceBuilder& t, std::int64_t elements) {
  EscapeMask escapes;
  const Trace trace = t.finish(escapes);
  compiler().forget();
  const CompileResult result = compiler().compile(trace, escapes);
  // This one remembers other extents of the same ops: its code is for any of them.
  static Compiler* const of_any_size = make_cpu_compiler().release();
  const CompileResult shared = of_any_size->compile(trace, escapes);
  const Inputs inputs(trace, 5);
  std::vector<void*> storages(trace.size(), nullptr);
  for (RecordIndex i = 0; i < trace.size(); ++i) {
    if (inputs.contents[i].empty()) continue;
    storages[i] = allocate_buffer(inputs.contents[i].size());
    visit(desc_of(trace.results[i]).dtype, [&]<class T>(T) {  // ordinary numbers, whose speed is the usual one
      for (std::size_t e = 0; e < inputs.contents[i].size() / sizeof(T); ++e)
        static_cast<T*>(storages[i])[e] = static_cast<T>(1 + e % 7);
    });
  }
  const std::size_t arena_bytes = std::max(result.plan->arena_bytes(), shared.plan->arena_bytes()) + 1;
  void* arena = allocate_buffer(arena_bytes);
  const PlanFrame frame{inputs.values, storages, arena};
  const Interpreter interpreter(kernels());
  const auto best = [&](auto&& run) {
    double ns = 1e18;
    for (int k = 0; k < 30; ++k) {
      const auto start = std::chrono::steady_clock::now();
      run();
      ns = std::min(ns, std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count());
    }
    return ns / static_cast<double>(elements);
  };
  const double compiled = best([&] { result.plan->run(frame); });
  const double any_size = best([&] { shared.plan->run(frame); });
  const double eager = best([&] {
    for (RecordIndex i = 0; i < trace.size(); ++i) interpreter.run(trace, i, inputs.values, storages);
  });
  fmt::print(
      "{:<12} {:.3f} ns an element compiled, {:.3f} for any size, {:.3f} by kernels; {} groups, {} calls, {:.1f} ms to "
      "compile\n",
      name, compiled, any_size, eager, result.groups, result.library_calls, compile_ms(trace, escapes));
  free_buffer(arena, arena_bytes);
  for (RecordIndex i = 0; i < trace.size(); ++i)
    if (storages[i]) free_buffer(storages[i], inputs.contents[i].size());
}

TEST(Figures, Speed) {
  constexpr std::int64_t n = 65536;
  {
    TraceBuilder t;
    const auto x = t.input(DType::f32, {n});
    t.escape(t.op(Op::mul, {t.op(Op::tanh, {x}), t.op(Op::exp, {x})}));
    compare_speed("chain", t, n);
  }
  {
    TraceBuilder t;
    const auto x = t.input(DType::f32, {n}), y = t.input(DType::f32, {n});
    t.op_(Op::add, {y, t.op(Op::mul, {x, Arg::scalar_slot()})});
    compare_speed("axpy", t, n);
  }
  {
    TraceBuilder t;
    const auto x = t.input(DType::f32, {n});
    t.escape(t.op(Op::mul, {t.reduce(Op::sum, x, {0}, false), Arg::scalar(0.5)}));
    compare_speed("sum", t, n);
  }
  for (const Dims& dims : {Dims{64, 1024}, Dims{4096, 16}, Dims{6553, 10}, Dims{512, 128}}) {
    const auto rows = static_cast<double>(dims[1]);
    {
      TraceBuilder t;
      const auto x = t.input(DType::f32, dims);
      const auto e = t.op(Op::exp, {t.op(Op::sub, {x, t.reduce(Op::amax, x, {1}, true)})});
      t.escape(t.op(Op::div, {e, t.reduce(Op::sum, e, {1}, true)}));
      compare_speed(fmt::format("softmax {}", dims[1]).c_str(), t, dims.product());
    }
    {
      TraceBuilder t;
      const auto x = t.input(DType::f32, dims), w = t.input(DType::f32, {dims[1]}), b = t.input(DType::f32, {dims[1]});
      const auto centred = t.op(Op::sub, {x, t.op(Op::mul, {t.reduce(Op::sum, x, {1}, true), Arg::scalar(1 / rows)})});
      const auto variance = t.op(Op::mul, {t.reduce(Op::sum, t.op(Op::square, {centred}), {1}, true), Arg::scalar(1 / rows)});
      const auto scale = t.op(Op::rsqrt, {t.op(Op::add, {variance, Arg::scalar(1e-5)})});
      t.escape(t.op(Op::add, {t.op(Op::mul, {t.op(Op::mul, {centred, scale}), w}), b}));
      compare_speed(fmt::format("layer norm {}", dims[1]).c_str(), t, dims.product());
    }
    {
      TraceBuilder t;
      const auto x = t.input(DType::f32, dims), y = t.input(DType::f32, dims);
      t.escape(t.reduce(Op::sum, t.op(Op::mul, {x, y}), {0}, false));
      compare_speed(fmt::format("columns {}", dims[1]).c_str(), t, dims.product());
    }
    {
      TraceBuilder t;
      const auto x = t.input(DType::f32, dims), b = t.input(DType::f32, {dims[1]});
      t.escape(t.op(Op::relu, {t.op(Op::add, {x, b})}));
      compare_speed(fmt::format("bias {}", dims[1]).c_str(), t, dims.product());
    }
  }
  {
    TraceBuilder t;
    const auto p = t.input(DType::f32, {n}), m = t.input(DType::f32, {n}), v = t.input(DType::f32, {n});
    const auto g = t.input(DType::f32, {n});
    const auto m2 = t.op_(Op::add, {t.op_(Op::mul, {m, Arg::scalar_slot()}), t.op(Op::mul, {g, Arg::scalar_slot()})});
    const auto v2 =
        t.op_(Op::add, {t.op_(Op::mul, {v, Arg::scalar_slot()}), t.op(Op::mul, {t.op(Op::square, {g}), Arg::scalar_slot()})});
    const auto root = t.op(Op::add, {t.op(Op::sqrt, {v2}), Arg::scalar(1e-8)});
    t.op_(Op::sub, {p, t.op(Op::mul, {t.op(Op::div, {m2, root}), Arg::scalar_slot()})});
    compare_speed("Adam", t, n);
  }
}

}  // namespace
}  // namespace swage::test
