// A run's log: what is written can be read, live, afterwards, after a kill, and whatever has happened to the file.
#include <atomic>
#include <csignal>
#include <cstring>
#include <fstream>
#include <functional>
#include <random>
#include <sys/wait.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <runtime/core/error.hpp>
#include <runtime/engine/event_log.hpp>
#include <runtime/engine/plan.hpp>
#include <runtime/log/reader.hpp>
#include <test/runtime/temporary_folder.hpp>

namespace swage::test {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kText = R"(%0 = input : f32[3,4]
%1 = mul(%0, 0.5) : f32[3,4]
%2 = narrow(%1) {1,2} : f32[3,2:4,1]
cut {0}
)";

struct NoPlan final : Plan {
  NoPlan() {
    escapes_ = EscapeMask(4);
    escapes_.set(1);
    arena_bytes_ = 128;
  }
  void escape(RecordIndex i) {
    escapes_ = EscapeMask(64);
    escapes_.set(i);
  }
  std::optional<CheckFailure> check(const PlanFrame&) override { return std::nullopt; }
  void run(const PlanFrame&) override {}
};

class RunLog : public testing::Test {
 protected:
  TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "run.swagelog";

  static Trace trace(std::uint32_t id) {
    Trace made = parse_trace(kText);
    made.id = id;
    made.sites.assign(made.size(), CallSite{kText});
    return made;
  }
  static void write_all(EventLog& log) {
    const Trace made = trace(7);
    runlog::TraceFigures* const figures = log.store(made);
    ASSERT_NE(figures, nullptr);
    figures->runs = 12;
    figures->hits = 9;
    figures->eager_ns = 1500;
    log.add(EventCode::kept, 7);
    CompileResult result;
    result.plan = std::make_unique<NoPlan>();
    result.groups = 1;
    result.notes = "nothing to fuse";
    log.store_plan(7, result, false, 3.5);
    log.add(EventCode::compiled, 7, 0, 3500);
    log.add(EventCode::missed, 7, 1, 0, made.keys[2], CallSite{kText});
    log.add_hits(7, 64, 1000, 2000);
    log.store_refusal(7, "because");
    log.remark("a remark");
    log.new_stream().hits.add(5);
  }
  static std::string bytes_of(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
};

TEST_F(RunLog, SaysWhatWasWritten) {
  EventLog log(file);
  ASSERT_EQ(log.path(), file);
  write_all(log);
  const runlog::Run run = runlog::read(file);  // while it is open
  EXPECT_THAT(run.damage, IsEmpty());
  EXPECT_EQ(run.pid, static_cast<std::uint32_t>(getpid()));
  EXPECT_FALSE(run.ended);
  ASSERT_EQ(run.traces.size(), 1u);
  const runlog::TraceEntry& entry = run.traces[0];
  const Trace expected = trace(7);
  EXPECT_EQ(entry.trace.id, 7u);
  EXPECT_EQ(entry.trace.keys, expected.keys);
  EXPECT_EQ(entry.trace.results, expected.results);
  EXPECT_EQ(entry.trace.hash, expected.hash);
  EXPECT_EQ(entry.trace.sites, expected.sites);
  EXPECT_EQ(entry.figures.runs, 12u);
  EXPECT_EQ(entry.figures.eager_ns, 1500);
  EXPECT_EQ(entry.refusal, "because");
  ASSERT_EQ(entry.plans.size(), 1u);
  EXPECT_EQ(entry.plans[0].notes, "nothing to fuse");
  EXPECT_EQ(entry.plans[0].arena_bytes, 128u);
  EXPECT_TRUE(entry.plans[0].escapes.test(1));
  EXPECT_FALSE(entry.plans[0].escapes.test(0));
  EXPECT_EQ(run.compiles, 1u);
  EXPECT_THAT(run.remarks, ElementsAre("a remark"));
  ASSERT_EQ(run.streams.size(), 1u);
  EXPECT_EQ(run.streams[0].hits, 5u);
  ASSERT_EQ(run.events.size(), 4u);
  const auto missed = std::ranges::find(run.events, static_cast<std::uint32_t>(EventCode::missed), &runlog::EventEntry::code);
  ASSERT_NE(missed, run.events.end());
  EXPECT_EQ(missed->key, expected.keys[2]);
  EXPECT_EQ(missed->site, reinterpret_cast<std::uint64_t>(kText));
  EXPECT_FALSE(run.modules.empty());
  log.end();
  EXPECT_TRUE(runlog::read(file).ended);
}

TEST_F(RunLog, KeepsTheLatestEventsOfARing) {
  EventLog log(file);
  for (std::uint32_t i = 0; i < EventLog::kCapacity + 50; ++i) log.add(EventCode::kept, i);
  log.add_hits(1, 1, 5, 6);
  const runlog::Run run = runlog::read(file);
  EXPECT_EQ(run.decisions, EventLog::kCapacity + 50);
  ASSERT_EQ(run.events.size(), EventLog::kCapacity + 1);
  EXPECT_EQ(run.events.back().sequence, EventLog::kCapacity + 50);
  EXPECT_EQ(log.events().size(), EventLog::kCapacity + 1);
}

TEST_F(RunLog, IsBoundedAndSaysWhatItHadNoRoomFor) {
  EventLog log(file);
  const Trace made = trace(1);
  Trace numbered = made;
  for (std::uint32_t id = 1; id <= 200'000; ++id) {
    numbered.id = id;
    if (!log.store(numbered)) break;
  }
  const runlog::Run run = runlog::read(file);
  EXPECT_GT(run.traces.size(), 10'000u);
  EXPECT_LT(run.traces.size(), 200'000u);
  EXPECT_THAT(run.damage, Contains(HasSubstr("no room")));
  log.add(EventCode::kept, 1);
  EXPECT_EQ(runlog::read(file).events.size(), 1u);
}

TEST_F(RunLog, IsWholeAfterAKill) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    EventLog log(file);
    write_all(log);
    char byte = 1;
    if (write(ready[1], &byte, 1) != 1) _exit(1);
    for (std::uint32_t i = 0;; ++i) log.add(EventCode::kept, i % 100, 0, 0, trace(1).keys[1]);
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  usleep(20'000);
  const runlog::Run live = runlog::read(file);
  EXPECT_EQ(live.traces.size(), 1u);
  kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  const runlog::Run run = runlog::read(file);
  EXPECT_FALSE(run.ended);
  EXPECT_EQ(run.traces.size(), 1u);
  EXPECT_GT(run.events.size(), 5u);
  EXPECT_LE(run.damage.size(), 1u);  // at most the one event that was being written
}

TEST_F(RunLog, AForkedChildLeavesItsParentsFile) {
  EventLog log(file);
  write_all(log);
  log.before_fork();
  const pid_t child = fork();
  log.after_fork(child == 0);
  if (child == 0) {
    for (int i = 0; i < 100; ++i) log.add(EventCode::kept, 1);
    log.end();
    _exit(log.path().empty() ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  const runlog::Run run = runlog::read(file);
  EXPECT_EQ(run.events.size(), 4u);
  EXPECT_FALSE(run.ended);
}

TEST_F(RunLog, WithoutAFileDecisionsAreKeptInMemory) {
  setenv("SWAGE_LOG", "off", /*overwrite=*/1);  // tests want all of it kept
  EventLog log(folder.path() / "no" / "such" / "folder");
  EXPECT_TRUE(log.path().empty());
  EXPECT_THAT(log.remarks(), Contains(HasSubstr("in memory only")));
  // Nobody can read the rest.
  EXPECT_EQ(log.store(trace(7)), nullptr);
  EXPECT_EQ(log.store_escape(7, 1), nullptr);
  log.add_hits(7, 64, 1000, 2000);
  log.add(EventCode::missed, 7, 1, 0, trace(7).keys[2], CallSite{kText});
  const std::vector<Event> events = log.events();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].key, trace(7).keys[2]);
  setenv("SWAGE_LOG", "memory", /*overwrite=*/1);
  EventLog whole(std::filesystem::path{});
  EXPECT_NE(whole.store(trace(7)), nullptr);
  EXPECT_EQ(whole.snapshot().traces.size(), 1u);
}

TEST_F(RunLog, AFullDiskEndsNoProgram) {
  const pid_t child = fork();
  if (child == 0) {
    mount_small_memory(folder.path());
    EventLog log(file);
    log.add(EventCode::kept, 7);
    log.store(trace(7));
    _exit(log.path().empty() && log.events().size() == 1 ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == kNoMount) GTEST_SKIP() << "no file systems may be mounted here";
  EXPECT_EQ(status, 0);
}

TEST_F(RunLog, OtherFilesAndVersionsAreRefused) {
  const auto error_of = [](const std::string& bytes) {
    try {
      runlog::read(std::string_view(bytes));
    } catch (const ValueError& error) {
      return std::string(error.what());
    }
    return std::string("none");
  };
  EXPECT_THAT(error_of(""), HasSubstr("not a run's log"));
  EXPECT_THAT(error_of("garbage that is long enough to be a header, but is none"), HasSubstr("not a run's log"));
  {
    EventLog log(file);
  }
  std::string bytes = bytes_of(file);
  EXPECT_EQ(error_of(bytes), "none");
  EXPECT_THAT(error_of(bytes.substr(0, 40)), HasSubstr("ends after 40 bytes"));
  bytes[8] = 99;
  EXPECT_THAT(error_of(bytes), HasSubstr("version 99"));
  bytes[8] = runlog::kVersion;
  bytes[20] ^= 1;
  EXPECT_THAT(error_of(bytes), HasSubstr("header is damaged"));
  EXPECT_THROW(runlog::read(folder.path() / "none"), IoError);
}

TEST_F(RunLog, IsReadUpToTheDamage) {
  {
    EventLog log(file);
    write_all(log);
  }
  const std::string whole = bytes_of(file);
  runlog::Constants constants;
  std::memcpy(static_cast<void*>(&constants), whole.data(), sizeof constants);
  // Cut off in the middle of what is stored, after the command line.
  runlog::Run run = runlog::read(std::string_view(whole).substr(0, constants.blobs_at + 300));
  EXPECT_THAT(run.damage, Contains(HasSubstr("before what was written does")));
  EXPECT_EQ(run.events.size(), 4u);
  // One byte of a ring, one of a blob.
  std::string flipped = whole;
  flipped[constants.decisions_at + 20] ^= 4;
  run = runlog::read(std::string_view(flipped));
  EXPECT_EQ(run.events.size(), 3u);
  EXPECT_THAT(run.damage, Contains(HasSubstr("1 event could not be read")));
  flipped = whole;
  flipped[constants.blobs_at + 20] ^= 4;
  run = runlog::read(std::string_view(flipped));
  EXPECT_THAT(run.damage, Contains(HasSubstr("is damaged")));
  EXPECT_TRUE(run.traces.empty());
  EXPECT_EQ(run.events.size(), 4u);
}

// A log in which one trace was changed before it was written: its sums are right.
class DoctoredLog : public RunLog {
 protected:
  runlog::Run read_with(const std::function<void(Trace&)>& change, const char* text = kText) {
    {
      EventLog log(file);
      Trace made = parse_trace(text);
      made.id = 3;
      change(made);
      made.sites.resize(made.size());
      log.store(made);
      log.store(trace(7));
    }
    runlog::Run run = runlog::read(file);
    EXPECT_NE(run.find(7), nullptr);
    return run;
  }
  void expect_refused(const std::function<void(Trace&)>& change, const std::string& why, const char* text = kText) {
    const runlog::Run run = read_with(change, text);
    EXPECT_EQ(run.find(3), nullptr);
    EXPECT_THAT(run.damage, ElementsAre(AllOf(HasSubstr("trace t3 is left out"), HasSubstr(why))));
  }
};

TEST_F(DoctoredLog, IsBelievedAsItIs) {
  const runlog::Run run = read_with([](Trace&) {});
  EXPECT_NE(run.find(3), nullptr);
  EXPECT_THAT(run.damage, IsEmpty());
}

TEST_F(DoctoredLog, ResultsFollowFromTheOps) {
  expect_refused([](Trace& t) { t.results[1] = intern(DType::f32, {3, 5}); },
                 "record 1: its result is f32[3,5], where f32[3,4]");
  expect_refused([](Trace& t) { t.results[2] = t.results[0]; }, "record 2");
  expect_refused([](Trace& t) { t.results[0] = intern(DType::f64, {3, 4}); },
                 "record 0: its result is another than what enters");
  expect_refused([](Trace& t) { t.keys[2].operands[0].desc = intern(DType::f32, {2, 2}); }, "operand 0 is another");
}

TEST_F(DoctoredLog, OperandsStandBeforeTheirOps) {
  expect_refused([](Trace& t) { t.keys[1].operands[0].ref = 2; }, "record 1: operand 0 does not stand before it");
  expect_refused([](Trace& t) { t.keys[0].operands[0].ref = 1; }, "does not stand before it");
  expect_refused([](Trace& t) { t.keys[1].operands[0] = {}; }, "record 1 is none");
  expect_refused([](Trace& t) { t.keys[1].operands[1].ref = -9; }, "record 1 is none");
  expect_refused([](Trace& t) { t.keys[1].n_operands = 1; }, "record 1 is none");
  expect_refused(
      [](Trace& t) {
        t.keys[1].operands[2].ref = 1;
        t.keys[1].operands[2].desc = t.results[0];
      },
      "record 1 is none");
  expect_refused([](Trace& t) { t.keys[1].flags = 64; }, "record 1 is none");
  expect_refused([](Trace& t) { t.keys.pop_back(), t.results.pop_back(); }, "it is no cut");
}

TEST_F(DoctoredLog, NumbersStayWithinWhatCanBeAddressed) {
  const auto attribute = [](std::vector<std::int64_t> ints) {
    Attribute made;
    made.ints = std::move(ints);
    return intern(made);
  };
  expect_refused([&](Trace& t) { t.keys[2].attr = attribute({1, std::int64_t{1} << 62}); }, "record 2 is none");
  expect_refused([&](Trace& t) { t.keys[2].attr = attribute(std::vector<std::int64_t>(1000, 1)); }, "record 2 is none");
  expect_refused([&](Trace& t) { t.keys[2].attr = attribute({1, 9}); }, "a length of 9 does not fit");
  expect_refused([](Trace& t) { t.keys[0].operands[0].desc = t.results[0] = intern(DType::f32, {1 << 24, 1 << 24}); },
                 "record 0 is none");
  // Of an op that has no operands, so that its attribute says it all.
  const char* const counting = "%0 = iota() {0,4} dtype=i64 : i64[4]\ncut {0}\n";
  expect_refused([&](Trace& t) { t.keys[0].attr = 0; }, "iota", counting);
  expect_refused([&](Trace& t) { t.keys[0].attr = attribute({5, 4}); }, "iota", counting);
}

TEST_F(DoctoredLog, PlansWriteOutWhatTheirTracesMake) {
  for (const RecordIndex wrong : {0u, 2u, 3u, 40u}) {
    EventLog log(file);
    log.store(trace(7));
    CompileResult result;
    auto plan = std::make_unique<NoPlan>();
    plan->escape(wrong);
    result.plan = std::move(plan);
    log.store_plan(7, result, false, 1);
    const runlog::Run run = runlog::read(file);
    EXPECT_THAT(run.damage, ElementsAre(HasSubstr("1 entries that make no sense"))) << wrong;
    EXPECT_TRUE(run.find(7)->plans.empty());
  }
}

TEST_F(RunLog, TextIsFitToBePrinted) {
  EventLog log(file);
  log.remark("caf\xC3\xA9 \xE2\x82\xAC\tfine");
  log.remark("\x1B[2J half \xE2\x82 long \xC0\x80 pair \xED\xA0\x80 \xFF");
  EXPECT_THAT(runlog::read(file).remarks, ElementsAre("caf\xC3\xA9 \xE2\x82\xAC\tfine", "?[2J half ?? long ?? pair ??? ?"));
}

TEST_F(RunLog, AFolderIsNoLog) { EXPECT_THROW(runlog::read(folder.path()), IoError); }

}  // namespace
}  // namespace swage::test
