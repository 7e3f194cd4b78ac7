// What the engine is tested with: slow, obvious kernels for a few f32 ops, and a compiler whose plans interpret the trace. The plan
// fills what nobody asked it to write with garbage, so that a wrong escape shows in the bits.
#pragma once

#include <atomic>
#include <functional>
#include <initializer_list>
#include <vector>

#include <gtest/gtest.h>

#include <runtime/engine/engine.hpp>
#include <runtime/engine/stream.hpp>

namespace swage::fake {

KernelTable kernels();
std::unique_ptr<Compiler> make_compiler();

// Nanoseconds that the compile thread moves on as well.
class FakeTime {
 public:
  FakeTime() = default;
  FakeTime(const FakeTime& other) : now_(other) {}
  FakeTime& operator=(const FakeTime& other) { return *this = static_cast<std::uint64_t>(other); }
  FakeTime& operator=(std::uint64_t now) {
    now_ = now;
    return *this;
  }
  FakeTime& operator+=(std::uint64_t more) {
    now_ += more;
    return *this;
  }
  operator std::uint64_t() const { return now_; }  // NOLINT(google-explicit-constructor)

 private:
  std::atomic<std::uint64_t> now_{0};
};

// What the fakes did, and how they are to behave from now on.
struct Control {
  std::uint64_t plans_run = 0;
  std::size_t escapes_written = 0;  // by the latest plan
  int refusals = 0;                 // compilations to refuse
  bool knows_code = false;          // whether plans can be recalled
  std::size_t pending_ops = 0;      // of a plan that is recalled where not all its code is known; 0: there are no such plans
  // The time that fake_clock() shows, and what moves it on.
  FakeTime now_ns;
  std::uint64_t kernel_ns = 1000, plan_ns = 1000, compile_ns = 1'000'000, recall_ns = 1000;
};
Control& control();
inline std::uint64_t fake_clock() { return control().now_ns; }

// A handle for tests, f32 unless said.
class Array {
 public:
  Array() = default;
  explicit Array(ValueRef value) : value_(std::move(value)) {}
  Array(const Dims& dims, std::vector<float> data);
  static Array indices(const Dims& dims, std::vector<std::int64_t> data);

  Value* get() const { return value_.get(); }
  std::vector<float> read() const;  // cuts
  bool pending() const { return value_->pending(); }

 private:
  ValueRef value_;
};

struct Scalar {
  double value;
};

Array call(Op op, std::vector<Array> operands, Attribute attribute = {}, CallSite site = {});
Array with_scalar(Op op, const Array& a, Scalar scalar);
Array with_literal(Op op, const Array& a, double literal);
void in_place(Op op, const Array& a, const Array& b);
void in_place(Op op, const Array& a, Scalar scalar);
Array narrow(const Array& a, int dim, std::int64_t start, std::int64_t length);
Array draw(const Dims& dims);
inline Array operator+(const Array& a, const Array& b) { return call(Op::add, {a, b}); }
inline Array operator*(const Array& a, const Array& b) { return call(Op::mul, {a, b}); }
inline Array operator-(const Array& a) { return call(Op::neg, {a}); }
void step();

// A fresh engine: nothing known, plans made at once and as soon as allowed.
class EngineTest : public ::testing::Test {
 protected:
  EngineTest();
  ~EngineTest() override;
  static EngineOptions eager_to_compile();
  // Runs `program` `times` times under `options` and returns everything it gave.
  static std::vector<std::vector<float>> repeat(int times, const std::function<std::vector<float>(int)>& program);
  // The same program eagerly, traced and compiled: the same bits. Returns how many plans ran.
  static std::uint64_t expect_same_in_all_tiers(int times, const std::function<std::vector<float>(int)>& program);
};

}  // namespace swage::fake
