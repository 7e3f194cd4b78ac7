// What a program is told about itself.
#include <swage/inspect.hpp>

#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <swage/swage.hpp>

namespace swage::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class Inspect : public testing::Test {
 protected:
  Inspect() : before_(engine_options()) {
    EngineOptions options = before_;
    options.tier = Tier::compiled;
    options.background = false;
    options.weigh_cost = false;
    set_engine_options(options);
    forget_traces();
  }
  ~Inspect() override {
    forget_traces();
    set_engine_options(before_);
  }
  static void run(const Tensor& x) {
    Tensor y = x;
    for (int k = 0; k < 5; ++k) y = tanh(y * 2.0);
    step();
  }

 private:
  EngineOptions before_;
};

TEST_F(Inspect, ExplainNamesTheFieldAndTheLine) {
  const Tensor x = ones({4, 3});
  for (int i = 0; i < 6; ++i) run(x);
  EXPECT_EQ(explain([&] { run(x); }), "1 windows, 1 of them compiled; 10 ops, 10 of them compiled\n");
  const Tensor wide = ones({4, 3}, DType::f64);
  const std::string text = explain([&] { run(wide); });
  EXPECT_THAT(text, HasSubstr("1 windows, 0 of them compiled"));
  EXPECT_THAT(text, HasSubstr("type of operand 0: f64 instead of f32"));
  EXPECT_THAT(text, HasSubstr("inspect_test.cpp:"));
}

TEST_F(Inspect, WhatOtherThreadsDoIsNotTold) {
  const Tensor x = ones({4, 3});
  for (int i = 0; i < 6; ++i) run(x);
  const NoRecompileScope scope;
  const std::string text = explain([&] {
    run(x);
    std::thread([] { run(ones({7, 3}, DType::f64)); }).join();
  });
  EXPECT_EQ(text, "1 windows, 1 of them compiled; 10 ops, 10 of them compiled\n");
}

TEST_F(Inspect, NoRecompileScopeFailsWhereSomethingIsCompiled) {
  const Tensor x = ones({4, 3}), other = ones({4, 3}, DType::f64);
  for (int i = 0; i < 6; ++i) run(x);
  {
    const NoRecompileScope scope;
    run(x);
    run(x);
  }
  const auto with_another_type = [&] {
    const NoRecompileScope scope;
    run(other);
  };
  try {
    with_another_type();
    FAIL() << "nothing was raised";
  } catch (const RecompileError& error) {
    EXPECT_THAT(error.what(), HasSubstr("f64 instead of f32"));
  }
  // An exception on its way is not replaced.
  const auto with_an_error = [&] {
    const NoRecompileScope scope;
    run(other);
    throw std::runtime_error("mine");
  };
  EXPECT_THROW(with_an_error(), std::runtime_error);
  EXPECT_THAT(explain([&] { run(x); }), Not(HasSubstr("instead")));
}

}  // namespace
}  // namespace swage::test
