// What one process leaves for the next. Forgetting all traces stands for the end of a process.
#include <algorithm>
#include <random>
#include <sys/wait.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <runtime/cache/plan_cache.hpp>
#include <runtime/cache/stored_trace.hpp>
#include <runtime/core/error.hpp>
#include <runtime/engine/event_log.hpp>
#include <test/runtime/fakes.hpp>
#include <test/runtime/temporary_folder.hpp>

namespace swage::fake {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Remember : public EngineTest {
 protected:
  Remember() {
    event_log().clear_remarks();
    CacheSettings settings;
    settings.folder = temporary.path() / "cache";
    use_plan_cache(settings);
    control().knows_code = true;
  }
  ~Remember() override {
    forget_traces();
    use_plan_cache({});
  }
  static std::vector<float> step_of_a_program() {
    const Array x({4}, {1, 2, 3, 4}), y({4}, {5, 6, 7, 8});
    const Array z = (x + y) * x;
    return z.read();
  }
  static std::uint64_t compiles() { return engine_stats().compiles; }
  std::size_t stored() const { return plan_cache()->list().size(); }

  test::TemporaryFolder temporary;
};

TEST_F(Remember, TheSecondProcessRunsItsFirstStepAsAPlan) {
  const auto expected = step_of_a_program();
  while (control().plans_run == 0) step_of_a_program();
  EXPECT_EQ(stored(), 1u);
  forget_traces();
  const std::uint64_t run = control().plans_run, before = compiles(), assembled = engine_stats().assembled;
  EXPECT_EQ(step_of_a_program(), expected);
  EXPECT_EQ(control().plans_run, run + 1);
  EXPECT_EQ(compiles(), before);
  EXPECT_EQ(engine_stats().assembled, assembled + 1);
  EXPECT_THAT(event_log().remarks(), IsEmpty());
}

TEST_F(Remember, WhatIsRunOnceAtTheBeginningIsAPlanNextTime) {
  const auto program = [](int steps) {
    std::vector<std::vector<float>> all;
    const Array set_up({2}, {3, 4});
    all.push_back((-set_up).read());
    for (int i = 0; i < steps; ++i) {
      all.push_back(step_of_a_program());
      if (i == 0) all.push_back((set_up + set_up).read());
    }
    return all;
  };
  const auto expected = program(60);
  EXPECT_EQ(stored(), 3u);
  forget_traces();
  const std::uint64_t run = control().plans_run, before = compiles();
  EXPECT_EQ(program(60), expected);
  EXPECT_EQ(control().plans_run, run + 62);
  EXPECT_EQ(compiles(), before);
}

TEST_F(Remember, AProgramThatNeverRepeatsLeavesNothing) {
  for (std::int64_t n = 1; n < 60; ++n) {
    Array x({2}, {1, 1});
    for (std::int64_t k = 0; k < n; ++k) x = x + x;
    x.read();
  }
  EXPECT_EQ(stored(), 0u);
}

TEST_F(Remember, WithoutItsCodeAPromiseIsAnEagerRunWithAReason) {
  const auto expected = step_of_a_program();
  while (control().plans_run == 0) step_of_a_program();
  forget_traces();
  control().knows_code = false;
  const std::uint64_t run = control().plans_run, before = compiles();
  EXPECT_EQ(step_of_a_program(), expected);
  EXPECT_EQ(control().plans_run, run);
  EXPECT_THAT(event_log().remarks(), Contains(HasSubstr("code of a remembered trace")));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(step_of_a_program(), expected);
  EXPECT_EQ(compiles(), before + 1) << "it has been hot before";
  EXPECT_GT(control().plans_run, run);
}

TEST_F(Remember, WhatAProcessRunsOnceIsCompiledAgainWhereItsCodeIsGone) {
  const auto program = [] {
    const Array set_up({2}, {3, 4});
    (-set_up).read();
    for (int i = 0; i < 60; ++i) step_of_a_program();
  };
  program();
  forget_traces();
  control().knows_code = false;
  const std::uint64_t before = compiles();
  program();
  EXPECT_EQ(compiles(), before + 2);
  forget_traces();
  control().knows_code = true;
  const std::uint64_t run = control().plans_run;
  program();
  EXPECT_EQ(control().plans_run, run + 61);
}

TEST_F(Remember, NothingIsLookedUpWhereThatIsNotWanted) {
  while (control().plans_run == 0) step_of_a_program();
  forget_traces();
  EngineOptions options = eager_to_compile();
  options.remember = false;
  set_engine_options(options);
  const std::uint64_t run = control().plans_run, before = engine_stats().assembled;
  step_of_a_program();
  EXPECT_EQ(control().plans_run, run);
  EXPECT_EQ(engine_stats().assembled, before);
}

TEST_F(Remember, AWiderEscapeRunsEagerlyAndWidensThePlan) {
  const auto program = [](bool hold) {
    const Array x({4}, {1, 2, 3, 4});
    Array sum = x + x;
    const Array product = sum * x;
    if (!hold) sum = {};
    auto result = product.read();
    if (hold) result.push_back(sum.read()[0]);
    return result;
  };
  const auto narrow = program(false);
  while (control().plans_run == 0) program(false);
  forget_traces();
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(program(true), (std::vector<float>{2, 8, 18, 32, 2}));
    EXPECT_EQ(program(false), narrow);
  }
  forget_traces();
  const std::uint64_t run = control().plans_run;
  EXPECT_EQ(program(true), (std::vector<float>{2, 8, 18, 32, 2}));
  EXPECT_EQ(control().plans_run, run + 1) << "the union of all masks is what is stored";
}

TEST_F(Remember, PromisesAreDroppedLikeOtherTraces) {
  while (control().plans_run == 0) step_of_a_program();
  forget_traces();
  EngineOptions options = eager_to_compile();
  options.max_traces = 2;
  set_engine_options(options);
  for (std::int64_t n = 1; n < 20; ++n)
    for (int i = 0; i < 4; ++i) {
      const Array x({n}, std::vector<float>(static_cast<std::size_t>(n), 1.0f));
      (x + x).read();
    }
  step_of_a_program();
}

TEST_F(Remember, APlanThatDoesNotPayIsNotPassedOn) {
  EngineOptions options = eager_to_compile();
  options.weigh_cost = true;
  options.clock = fake_clock;
  set_engine_options(options);
  control().plan_ns = 30'000;  // two kernels take 2 µs
  std::size_t most = 0;
  for (int i = 0; i < 5000; ++i) {
    step_of_a_program();
    most = std::max(most, stored());
  }
  EXPECT_EQ(most, 1u);
  EXPECT_EQ(stored(), 0u);
}

TEST_F(Remember, ForeignTracesAreNotOurs) {
  while (control().plans_run == 0) step_of_a_program();
  // The same record under another build's name.
  const auto entries = plan_cache()->list();
  ASSERT_EQ(entries.size(), 1u);
  const auto entry = plan_cache()->read(entries[0].name);
  ASSERT_TRUE(entry);
  plan_cache()->clear();
  EXPECT_TRUE(plan_cache()->store({"trace", "another build", entry->key}, entry->payload));
  EXPECT_THAT(load_traces(10), IsEmpty());
  // And with our name on it.
  const std::filesystem::path folder = plan_cache()->path();
  std::filesystem::rename(folder / plan_cache()->list()[0].name, folder / entries[0].name);
  EXPECT_THAT(load_traces(10), IsEmpty());
  EXPECT_THAT(event_log().remarks(), Contains(HasSubstr("for something else: another build")));
}

Trace awkward_trace(EscapeMask& escapes) {
  return parse_trace(
      "trace {\n"
      "  %0 = input : f32[3,4]\n"
      "  %1 = input alias %0 : f32[4,3:1,4]\n"
      "  %2 = input : i64[2]\n"
      "  %3 = mul(%0, slot f64) : f32[3,4]\n"
      "  %4 = narrow(%3) {0,2} : f32[2,4:4,1]\n"
      "  %5 = add_(%4, 0.1) : f32[2,4:4,1]\n"
      "  %6 = gather(%3, %2) {0} : f32[2,4]\n"
      "  %7 = sum(%1) {1,0} : f32[1,3]\n"
      "  %8 = uniform() {5} dtype=f32 : f32[5]\n"
      "  %9 = full(-3i) {2,2} dtype=i64 : i64[2,2]\n"
      "  %10 = cast(%9) dtype=f64 : f64[2,2]\n"
      "  cut {1}\n"
      "}\n"
      "escapes %3 %6 %7\n",
      &escapes);
}

TEST(StoredTrace, IsTheTraceAgain) {
  EscapeMask escapes;
  const Trace trace = awkward_trace(escapes);
  const std::optional<Trace> again = trace_of_key(trace_key(trace));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->keys, trace.keys);
  EXPECT_EQ(again->results, trace.results);
  EXPECT_EQ(again->storages, trace.storages);
  EXPECT_EQ(again->hash, trace.hash);
  EXPECT_EQ(print(*again, &escapes), print(trace, &escapes));
}

TEST(StoredTrace, DiffersWhereTracesDiffer) {
  EscapeMask escapes;
  const Trace trace = awkward_trace(escapes);
  for (std::size_t i = 0; i < trace.size(); ++i) {
    Trace other = trace;
    other.keys[i].flags ^= KeyHalf::kAtOnce;
    EXPECT_NE(trace_key(other), trace_key(trace));
    other = trace;
    Attribute attribute = attribute_of(other.keys[i].attr);
    attribute.real += 1;
    other.keys[i].attr = intern(attribute);
    EXPECT_NE(trace_key(other), trace_key(trace));
  }
}

TEST(StoredTrace, GarbageIsNone) {
  EscapeMask escapes;
  const std::string key = trace_key(awkward_trace(escapes));
  for (std::size_t n = 0; n < key.size(); ++n) EXPECT_FALSE(trace_of_key(key.substr(0, n))) << n;
  EXPECT_FALSE(trace_of_key(key + '\0'));
  std::mt19937_64 random(1);
  for (int i = 0; i < 20'000; ++i) {  // another trace, or none: never out of bounds
    std::string changed = key;
    for (std::uint64_t k = random() % 3 + 1; k-- > 0;) changed[random() % changed.size()] = static_cast<char>(random());
    if (const auto trace = trace_of_key(changed)) {
      EXPECT_EQ(trace->keys.back().op, Op::cut);
      EXPECT_EQ(trace->storages.size(), trace->size());
    }
  }
}

// Runs `body` in a fork and gives its exit code.
template <class F>
int in_fork(F&& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

class Fork : public EngineTest {};

TEST_F(Fork, AChildThatUsesTheEngineIsToldWhy) {
  const Array x({2}, {1, 2});
  const Array pending = x + x;  // a window is open
  const auto child = [&] {
    for (int attempt = 0; attempt < 2; ++attempt) {
      try {
        x + x;
        return 1;
      } catch (const ValueError& error) {
        if (std::string_view(error.what()).find("[add] this process was forked") == std::string_view::npos) return 2;
      }
    }
    return x.read() == std::vector<float>{1, 2} ? 0 : 3;
  };
  EXPECT_EQ(in_fork(child), 0);
  EXPECT_EQ(pending.read(), (std::vector<float>{2, 4}));
}

TEST_F(Fork, AChildReadsNothingThatWasDeferred) {
  const Array x({2}, {1, 2});
  const auto program = [&] { return x * x; };
  while (control().plans_run == 0) program().read();
  const Array deferred = program();
  ASSERT_TRUE(deferred.pending());
  EXPECT_EQ(in_fork([&] {
              try {
                deferred.read();
                return 1;
              } catch (const ValueError&) {
                return 0;
              }
            }),
            0);
  EXPECT_EQ(deferred.read(), (std::vector<float>{1, 4}));
}

TEST_F(Fork, AChildThatStartsAnotherProgramIsFine) {
  const Array x({2}, {1, 2});
  const Array y = x + x;
  EXPECT_EQ(in_fork([] {
              execl("/bin/true", "true", nullptr);
              return 1;
            }),
            0);
  EXPECT_EQ(y.read(), (std::vector<float>{2, 4}));
}

TEST_F(Fork, AChildMayEndAsItLikesWhileTheParentCompiles) {
  EngineOptions options = eager_to_compile();
  options.background = true;
  set_engine_options(options);
  for (int round = 0; round < 30; ++round) {
    const Array x({4}, {1, 2, 3, 4});
    for (int i = 0; i < 4; ++i) call(Op::add, {x, x}, {}, {}).read();
    const pid_t child = fork();
    if (child == 0) std::exit(0);  // with every handler
    int status = 0;
    waitpid(child, &status, 0);
    ASSERT_TRUE(WIFEXITED(status));
    forget_traces();
  }
}

}  // namespace
}  // namespace swage::fake
