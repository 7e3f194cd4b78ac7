// Traces: text form, storages, keys, masks, the trie.
#include <runtime/trace/trace.hpp>

#include <gtest/gtest.h>

#include <runtime/core/error.hpp>
#include <runtime/engine/trace_trie.hpp>

namespace swage {
namespace {

constexpr const char* kText = R"(trace {
  %0 = input : f32[2,3]
  %1 = input alias %0 : f32[3,2:1,3]
  %2 = permute(%1) {1,0} : f32[2,3]
  %3 = add(%0, %2) : f32[2,3]
  %4 = mul_(%3, slot f64) : f32[2,3]
  %5 = sum(%4) {0,0,1} : f32[]
  %6 = add(%5, 0.1) : f32[]
  %7 = add(%5, -2i) : f32[]
  %8 = cast(%6) dtype=i64 : i64[]
  %9 = input at_once : f64[4]
  cut {1}
}
escapes %3 %8
)";

TEST(TraceText, ParsesBackToTheSameKeys) {
  EscapeMask mask;
  const Trace trace = parse_trace(kText, &mask);
  EXPECT_EQ(print(trace, &mask), kText);
  const Trace again = parse_trace(print(trace));
  EXPECT_EQ(again.keys, trace.keys);
  EXPECT_EQ(again.results, trace.results);
  EXPECT_EQ(again.hash, trace.hash);
}

TEST(TraceText, NamesTheLineThatIsWrong) {
  const auto error_of = [](const char* text) {
    try {
      parse_trace(text);
    } catch (const ValueError& error) {
      return std::string(error.what());
    }
    return std::string("none");
  };
  EXPECT_NE(error_of("%0 = input : f32[2]\n%1 = nonsense(%0) : f32[2]\ncut\n").find("line 2"), std::string::npos);
  EXPECT_NE(error_of("%0 = neg(%0) : f32[2]\ncut\n").find("line 1"), std::string::npos);
  EXPECT_NE(error_of("%0 = input : f32[2\ncut\n").find("line 1"), std::string::npos);
  EXPECT_NE(error_of("%1 = input : f32[2]\ncut\n").find("%0"), std::string::npos);
  EXPECT_NE(error_of("%0 = input : f32[2]\n").find("cut"), std::string::npos);
  EXPECT_NE(error_of("%0 = input : f32[2:1,1]\ncut\n").find("strides"), std::string::npos);
}

TEST(Trace, ViewsWritesAndAliasesShareTheirStorage) {
  const Trace trace = parse_trace(kText);
  EXPECT_EQ(trace.storages, (std::vector<RecordIndex>{0, 0, 0, 3, 3, 5, 6, 7, 8, 9, 10}));
  EXPECT_EQ(trace.last_use[0], 3u);
  EXPECT_EQ(trace.last_use[3], 5u);
  EXPECT_EQ(trace.n_ops(), 7u);
  ASSERT_EQ(trace.cells.size(), 1u);
  EXPECT_EQ(trace.cells[0].end, trace.size());
}

TEST(TraceKey, EveryFieldCounts) {
  const Trace trace = parse_trace(kText);
  const KeyHalf base = trace.keys[3];
  std::vector<KeyHalf> others(8, base);
  others[0].op = Op::sub;
  others[1].n_operands = 1;
  others[2].flags ^= KeyHalf::kInPlace;
  others[3].attr += 1;
  others[4].operands[0].ref += 1;
  others[5].operands[0].desc += 1;
  others[6].operands[1].ref += 1;
  others[7].operands[2].desc += 1;
  for (const KeyHalf& other : others) {
    EXPECT_FALSE(other == base);
    EXPECT_NE(mix_key(0, other), mix_key(0, base));
  }
  EXPECT_EQ(mix_key(0, KeyHalf(base)), mix_key(0, base));
}

TEST(EscapeMask, IsASetOfRecords) {
  EscapeMask a(130), b(130);
  a.set(0);
  a.set(129);
  b.set(129);
  EXPECT_TRUE(b.subset_of(a));
  EXPECT_FALSE(a.subset_of(b));
  b.merge(a);
  EXPECT_EQ(a, b);
  EXPECT_EQ(b.count(), 2u);
  EXPECT_TRUE(b.test(129));
  EXPECT_FALSE(b.test(128));
}

std::shared_ptr<KnownTrace> known(const std::string& text) {
  auto made = std::make_shared<KnownTrace>();
  made->trace = parse_trace(text);
  return made;
}

Cursor walk(const TraceTrie& trie, const Trace& trace, bool& all) {
  Cursor cursor;
  all = true;
  for (const KeyHalf& key : trace.keys) all = all && trie.advance(cursor, key);
  return cursor;
}

TEST(TraceTrie, FollowsEachOfManyTracesThatSharePrefixes) {
  TraceTrie trie;
  std::vector<std::shared_ptr<KnownTrace>> all;
  for (int kind = 0; kind < 32; ++kind) {
    std::string text = "%0 = input : f32[4]\n";
    for (int i = 0; i < 5; ++i)
      text += "%" + std::to_string(i + 1) + (kind >> i & 1 ? " = neg(%" : " = exp(%") + std::to_string(i) + ") : f32[4]\n";
    all.push_back(known(text + "cut {0}\n"));
    trie.insert(all.back());
  }
  for (const auto& trace : all) {
    bool found = false;
    const Cursor cursor = walk(trie, trace->trace, found);
    ASSERT_TRUE(found);
    EXPECT_TRUE(cursor.at_end());
    EXPECT_EQ(cursor.trace, trace.get());
  }
  bool found = true;
  walk(trie, known("%0 = input : f32[4]\n%1 = tanh(%0) : f32[4]\ncut {0}\n")->trace, found);
  EXPECT_FALSE(found);
}

TEST(TraceTrie, CountsPlansBelowEveryPath) {
  TraceTrie trie;
  const auto a = known("%0 = input : f32[4]\n%1 = neg(%0) : f32[4]\ncut {0}\n");
  const auto b = known("%0 = input : f32[4]\n%1 = neg(%0) : f32[4]\n%2 = neg(%1) : f32[4]\ncut {0}\n");
  trie.insert(a);
  trie.insert(b);
  EXPECT_EQ(b->parent, a.get());
  EXPECT_EQ(b->shared, 2u);
  trie.add_plan(*b);
  EXPECT_EQ(a->plans_below, 1u);
  trie.remove_plan(*b);
  EXPECT_EQ(a->plans_below, 0u);
  EXPECT_EQ(trie.plans(), 0u);
}

TEST(TraceTrie, EvictsWhatWasUnusedForLongestAndKeepsWhatOthersGoOnFrom) {
  TraceTrie trie;
  const auto root = known("%0 = input : f32[4]\n%1 = neg(%0) : f32[4]\n%2 = neg(%1) : f32[4]\ncut {0}\n");
  const auto old = known("%0 = input : f32[4]\n%1 = exp(%0) : f32[4]\ncut {0}\n");
  const auto branch = known("%0 = input : f32[4]\n%1 = neg(%0) : f32[4]\n%2 = exp(%1) : f32[4]\ncut {0}\n");
  for (const auto& trace : {root, old, branch}) trie.insert(trace);
  const std::size_t bytes = trie.bytes();
  root->last_used = 1;
  old->last_used = 2;
  branch->last_used = 3;
  EXPECT_EQ(trie.evict(3, bytes), 0u);
  EXPECT_EQ(trie.evict(2, bytes), 1u);  // not `root`, on which `branch` stands
  bool found = false;
  walk(trie, old->trace, found);
  EXPECT_FALSE(found);
  EXPECT_TRUE(old->dropped);
  walk(trie, branch->trace, found);
  EXPECT_TRUE(found);
  EXPECT_EQ(trie.bytes(), bytes - old->bytes());
  EXPECT_EQ(trie.evict(2, 1), 2u);  // by bytes: the branch first, then its parent
  EXPECT_TRUE(trie.traces().empty());
  EXPECT_EQ(trie.bytes(), 0u);
  walk(trie, root->trace, found);
  EXPECT_FALSE(found);
}

}  // namespace
}  // namespace swage
