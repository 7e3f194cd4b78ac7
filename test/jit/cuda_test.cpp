// Groups as CUDA C++: compiled by NVRTC without a warning, and run through the host shim with the interpreter's bits.
#include <functional>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <jit/cuda/nvrtc.hpp>
#include <jit/inspect.hpp>
#include <runtime/core/error.hpp>
#include <test/jit/cuda_harness.hpp>
#include <test/jit/harness.hpp>
#include <test/jit/random_trace.hpp>
#include <test/jit/trace_builder.hpp>

namespace swage::test {
namespace {

constexpr DType kTypes[] = {DType::boolean, DType::i64, DType::f32, DType::f64};

void add(CudaBatch& batch, TraceBuilder& builder) {
  EscapeMask escapes;
  const Trace trace = builder.finish(escapes);
  batch.add(trace, escapes);
}

// Whether the row of an op takes operands of a type.
bool takes(const OpInfo& row, DType dtype) {
  switch (row.dtypes) {
    case DTypeRule::arithmetic:
    case DTypeRule::compare: return dtype != DType::boolean;
    case DTypeRule::floating: return is_float(dtype);
    case DTypeRule::logical: return dtype == DType::boolean;
    default: return true;
  }
}

// Every pointwise row of the op table, every type that it takes; operands broadcast, and each of them as a scalar slot.
void pointwise(CudaBatch& batch) {
  for (const OpInfo& row : kOpTable) {
    if (row.kind != OpKind::pointwise) continue;
    for (const Dims& other : {Dims{9, 31}, Dims{31}, Dims{9, 1}}) {
      if (row.arity == 1 && other.rank() != 1) continue;
      TraceBuilder trace;
      for (DType dtype : kTypes) {
        if (!takes(row, dtype)) continue;
        for (int scalar_at = -1; scalar_at < (row.arity == 1 ? 0 : row.arity); ++scalar_at) {
          for (DType to : kTypes) {
            if (row.op != Op::cast && to != DType::f32) continue;
            std::vector<Arg> args;
            for (int k = 0; k < row.arity; ++k) {
              const DType type = row.dtypes == DTypeRule::select && k == 0 ? DType::boolean : dtype;
              if (k == scalar_at)
                args.push_back(Arg::scalar_slot(is_float(dtype) && k % 2 ? DType::f64 : DType::i64));
              else
                args.emplace_back(trace.input(type, k == 0 ? Dims{9, 31} : other));
            }
            Attribute attribute;
            attribute.dtype = to;
            try {
              trace.escape(trace.op(row.op, args, attribute, row.op == Op::assign));
            } catch (const Error&) {  // the row takes no scalar there
            }
          }
        }
      }
      add(batch, trace);
    }
  }
}

// Reductions of rows, columns and both at once, of lengths around what lanes, blocks and rounds of blocks hold; with values
// that are made along the way, and results that go back to the elements.
void reductions(CudaBatch& batch) {
  struct Shape {
    Dims dims;
    std::vector<std::int64_t> over;
  };
  const Shape shapes[] = {{{7, 2}, {1}},     {{3, 15}, {1}},       {{40, 16}, {1}},         {{5, 100}, {1}},
                          {{2, 1024}, {1}},  {{3, 1025}, {1}},     {{2, 4999}, {1}},        {{1, 16385}, {1}},
                          {{70001}, {0}},    {{33, 40}, {0}},      {{3, 70, 5}, {1}},       {{3000, 3}, {0}},
                          {{17000, 2}, {0}}, {{5, 6, 33}, {0, 2}}, {{4, 3, 5, 17}, {1, 3}}, {{6, 5, 4}, {0, 1, 2}}};
  int turn = 0;
  for (const Shape& shape : shapes) {
    for (Op op : {Op::sum, Op::amax, Op::amin}) {
      const DType dtype = kTypes[1 + turn++ % 3];
      TraceBuilder trace;
      const RecordIndex x = trace.input(dtype, shape.dims);
      const RecordIndex result = trace.reduce(op, trace.op(Op::square, {x}), shape.over, true);
      trace.escape(result);
      trace.escape(trace.op(Op::sub, {x, result}));
      add(batch, trace);
    }
    TraceBuilder alone;
    alone.escape(alone.reduce(Op::sum, alone.input(DType::f32, shape.dims), shape.over, false));
    add(batch, alone);
  }
}

void softmax(TraceBuilder& t, const Dims& dims, std::int64_t over) {
  const auto x = t.input(DType::f32, dims);
  const auto e = t.op(Op::exp, {t.op(Op::sub, {x, t.reduce(Op::amax, x, {over}, true)})});
  t.escape(t.op(Op::div, {e, t.reduce(Op::sum, e, {over}, true)}));
}

void layer_norm(TraceBuilder& t, const Dims& dims) {
  const std::int64_t n = dims[dims.rank() - 1], last = dims.rank() - 1;
  const auto x = t.input(DType::f32, dims), weight = t.input(DType::f32, {n}), bias = t.input(DType::f32, {n});
  const auto mean = t.op(Op::mul, {t.reduce(Op::sum, x, {last}, true), Arg::scalar(1.0 / static_cast<double>(n))});
  const auto centred = t.op(Op::sub, {x, mean});
  const auto total = t.reduce(Op::sum, t.op(Op::square, {centred}), {last}, true);
  const auto variance = t.op(Op::mul, {total, Arg::scalar(1.0 / static_cast<double>(n))});
  const auto scale = t.op(Op::rsqrt, {t.op(Op::add, {variance, Arg::scalar_slot()})});
  t.escape(mean);
  t.escape(t.op(Op::add, {t.op(Op::mul, {t.op(Op::mul, {centred, scale}), weight}), bias}));
}

// Statistics by channel, and a running mean that is rewritten while the rows are still at work.
void batch_norm(TraceBuilder& t, const Dims& dims) {
  const auto x = t.input(DType::f32, dims), running = t.input(DType::f32, {dims[1]});
  const double inverse = static_cast<double>(dims[1]) / static_cast<double>(dims.product());
  const std::vector<std::int64_t> channel = {1, dims[1], 1, 1};
  const auto mean = t.op(Op::mul, {t.reduce(Op::sum, x, {0, 2, 3}, false), Arg::scalar(inverse)});
  t.op_(Op::add, {t.op_(Op::mul, {running, Arg::scalar(0.9)}), t.op(Op::mul, {mean, Arg::scalar(0.1)})});
  const auto centred = t.op(Op::sub, {x, t.view(Op::reshape, mean, channel)});
  const auto variance = t.op(Op::mul, {t.reduce(Op::sum, t.op(Op::square, {centred}), {0, 2, 3}, false), Arg::scalar(inverse)});
  const auto scale = t.op(Op::rsqrt, {t.op(Op::add, {variance, Arg::scalar(1e-5)})});
  t.escape(t.op(Op::relu, {t.op(Op::mul, {centred, t.view(Op::reshape, scale, channel)})}));
}

void adam(TraceBuilder& t, const Dims& dims) {
  const auto parameter = t.input(DType::f32, dims), m = t.input(DType::f32, dims), v = t.input(DType::f32, dims);
  const auto grad = t.input(DType::f32, dims);
  const auto m2 = t.op_(Op::add, {t.op_(Op::mul, {m, Arg::scalar_slot()}), t.op(Op::mul, {grad, Arg::scalar_slot()})});
  const auto squares = t.op(Op::mul, {t.op(Op::square, {grad}), Arg::scalar_slot()});
  const auto v2 = t.op_(Op::add, {t.op_(Op::mul, {v, Arg::scalar_slot()}), squares});
  const auto root = t.op(Op::add, {t.op(Op::sqrt, {t.op(Op::abs, {v2})}), Arg::scalar(1e-8)});
  t.op_(Op::sub, {parameter, t.op(Op::mul, {t.op(Op::div, {m2, root}), Arg::scalar_slot()})});
}

void composites(CudaBatch& batch) {
  const auto make = [&](const std::function<void(TraceBuilder&)>& body) {
    TraceBuilder trace;
    body(trace);
    add(batch, trace);
  };
  make([](TraceBuilder& t) { softmax(t, {33, 10}, 1); });
  make([](TraceBuilder& t) { softmax(t, {3, 2100}, 1); });
  make([](TraceBuilder& t) { softmax(t, {40, 20}, 0); });
  make([](TraceBuilder& t) { layer_norm(t, {6, 5, 72}); });
  make([](TraceBuilder& t) { layer_norm(t, {2, 1500}); });
  make([](TraceBuilder& t) { batch_norm(t, {8, 6, 8, 8}); });
  make([](TraceBuilder& t) { batch_norm(t, {2, 3, 7, 7}); });
  make([](TraceBuilder& t) { adam(t, {64, 10}); });
  make([](TraceBuilder& t) {  // two storages exchange their values: all loads come before the first store
    const auto x = t.input(DType::f32, {300}), y = t.input(DType::f32, {300});
    const auto sum = t.op(Op::add, {x, y}), product = t.op(Op::mul, {x, y});
    t.op_(Op::assign, {x, product});
    t.op_(Op::assign, {y, sum});
  });
  make([](TraceBuilder& t) {  // constants that have no plain spelling
    const auto x = t.input(DType::f64, {50});
    auto y = t.op(Op::maximum, {x, Arg::scalar(-std::numeric_limits<double>::infinity())});
    y = t.op(Op::sub, {y, Arg::scalar(-0.0)});
    y = t.op(Op::add, {y, Arg::scalar(1e-320)});
    y = t.op(Op::minimum, {y, Arg::scalar(std::numeric_limits<double>::infinity())});
    t.escape(t.op(Op::add, {y, Arg::scalar(std::numeric_limits<double>::quiet_NaN())}));
    t.escape(y);
    const auto i = t.input(DType::i64, {50});
    t.escape(t.op(Op::sub, {t.op(Op::mul, {i, Arg::scalar(0x1p53, DType::i64)}), Arg::scalar(-0x1p63, DType::i64)}));
  });
}

void random_traces(CudaBatch& batch) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    EscapeMask escapes;
    const Trace trace = random_trace(seed, escapes);
    batch.add(trace, escapes);
  }
}

struct Programs {
  const char* name;
  void (*fill)(CudaBatch&);
};
std::ostream& operator<<(std::ostream& stream, const Programs& programs) { return stream << programs.name; }

class Cuda : public testing::TestWithParam<Programs> {
 protected:
  void SetUp() override { GetParam().fill(batch_); }
  CudaBatch batch_;
};

TEST_P(Cuda, HasTheInterpretersBitsOnTheHost) {
  const HostLibrary library = batch_.host_library();
  std::size_t kernels = 0;
  for (std::size_t k = 0; k < batch_.size(); ++k) {
    for (unsigned order : {0u, 127u, 38u}) {  // ascending, descending, mixed
      const std::string difference = batch_.difference(k, library, 3 * k + order, order);
      ASSERT_EQ(difference, "") << lower_to_text(batch_.trace(k), batch_.escapes(k), Stage::record)
                                << lower_to_text(batch_.trace(k), batch_.escapes(k), Stage::cuda);
    }
    kernels += batch_.count(k).kernels;
  }
  EXPECT_GE(kernels, batch_.size());
}

TEST_P(Cuda, CompilesForSm90WithoutAWarning) {
  const jit::cuda::Nvrtc* nvrtc = nullptr;
  try {
    nvrtc = &jit::cuda::Nvrtc::instance();
  } catch (const CompileError& error) {
    GTEST_SKIP() << error.what();
  }
  const jit::cuda::Source& source = batch_.source();
  const jit::cuda::DeviceCode code = nvrtc->compile(source.text);
  EXPECT_EQ(code.log, "");
  EXPECT_NE(code.ptx.find(".target sm_90"), std::string::npos);
  EXPECT_EQ(code.cubin.substr(0, 4), "\177ELF");
  for (std::size_t k = 0; k < source.kernels.size(); ++k) {
    ASSERT_TRUE(source.kernels[k]) << source.refusals[k];
    EXPECT_NE(code.ptx.find(".visible .entry " + source.kernels[k]->name + "("), std::string::npos);
  }
}

INSTANTIATE_TEST_SUITE_P(Groups, Cuda,
                         testing::Values(Programs{"Pointwise", pointwise}, Programs{"Reductions", reductions},
                                         Programs{"Composites", composites}, Programs{"Random", random_traces}),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace swage::test
