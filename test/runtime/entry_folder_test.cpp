// The folder of the plan cache, and everything that may happen to it.
#include <runtime/cache/entry_folder.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <random>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <runtime/cache/bundle.hpp>
#include <runtime/cache/plan_cache.hpp>
#include <runtime/core/error.hpp>
#include <runtime/engine/event_log.hpp>
#include <test/runtime/temporary_folder.hpp>

namespace swage {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::uint64_t kPlenty = std::uint64_t{64} << 20;

std::unique_ptr<EntryFolder> open(const std::filesystem::path& path, std::uint64_t limit = kPlenty) {
  std::string why_not;
  auto folder = EntryFolder::open(path, limit, why_not);
  EXPECT_TRUE(folder) << why_not;
  return folder;
}

EntryKey key_of(std::string_view key, std::string_view environment = "here") { return {"code", environment, key}; }

std::string payload_of(std::uint64_t seed, std::size_t bytes) {
  std::mt19937_64 random(seed);
  std::string payload(bytes, '\0');
  for (char& c : payload) c = static_cast<char>(random());
  return payload;
}

std::filesystem::path only_file(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry.path());
  EXPECT_EQ(files.size(), 1u);
  return files.at(0);
}

std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
void write(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

// Runs `body` in a process of its own and gives its exit status.
template <class F>
int in_child(F&& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

class EntryFolderTest : public ::testing::Test {
 protected:
  test::TemporaryFolder temporary;
  std::filesystem::path path = temporary.path() / "cache";
  void SetUp() override { event_log().clear_remarks(); }
  static std::vector<std::string> remarks() { return event_log().remarks(); }
};

TEST_F(EntryFolderTest, GivesWhatWasStored) {
  const auto folder = open(path);
  EXPECT_FALSE(folder->find(key_of("a")));
  const std::string big = payload_of(1, 100'000);
  EXPECT_TRUE(folder->store(key_of("a"), "first"));
  EXPECT_TRUE(folder->store(key_of("b"), big));
  EXPECT_TRUE(folder->store(key_of("a"), "second"));
  EXPECT_TRUE(folder->store(key_of("c"), ""));
  EXPECT_EQ(folder->find(key_of("a")), "second");
  EXPECT_EQ(open(path)->find(key_of("b")), big);
  EXPECT_EQ(folder->find(key_of("c")), "");
  EXPECT_FALSE(folder->find(key_of("a", "there")));
  EXPECT_FALSE(folder->find({"trace", "here", "a"}));
  EXPECT_EQ(folder->list().size(), 3u);
  EXPECT_EQ(folder->list("code", "here").size(), 3u);
  EXPECT_EQ(folder->list("code", "there").size(), 0u);
  EXPECT_EQ(folder->clear(), 3u);
  EXPECT_FALSE(folder->find(key_of("a")));
}

TEST_F(EntryFolderTest, IsPrivate) {
  open(path)->store(key_of("a"), "x");
  struct stat status{};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
  ASSERT_EQ(stat(only_file(path).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0077, 0u);
}

TEST_F(EntryFolderTest, RefusesAFolderThatOthersMayEnter) {
  std::string why_not;
  for (unsigned mode : {0755u, 0710u, 0702u}) {
    std::filesystem::create_directories(path);
    ASSERT_EQ(chmod(path.c_str(), mode), 0);
    EXPECT_FALSE(EntryFolder::open(path, kPlenty, why_not));
    EXPECT_THAT(why_not, HasSubstr("chmod 700"));
  }
}

TEST_F(EntryFolderTest, RefusesWhatIsNoFolderOrCannotBeMade) {
  std::string why_not;
  write(path, "a file");
  EXPECT_FALSE(EntryFolder::open(path, kPlenty, why_not));
  EXPECT_THAT(why_not, HasSubstr(path.string()));
  EXPECT_FALSE(EntryFolder::open("/proc/nowhere/cache", kPlenty, why_not));
}

TEST_F(EntryFolderTest, RefusesAFolderOfAnotherUser) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give a folder away";
  std::filesystem::create_directories(path);
  ASSERT_EQ(chmod(path.c_str(), 0700), 0);
  ASSERT_EQ(chown(path.c_str(), 65534, 65534), 0);
  std::string why_not;
  EXPECT_FALSE(EntryFolder::open(path, kPlenty, why_not));
  EXPECT_THAT(why_not, HasSubstr("another user"));
}

TEST_F(EntryFolderTest, RejectsAnEntryCutOffAnywhere) {
  const auto folder = open(path);
  folder->store(key_of("a"), payload_of(2, 300));
  const std::filesystem::path file = only_file(path);
  const std::string whole = contents(file);
  for (std::size_t n = 0; n < whole.size(); ++n) {
    write(file, whole.substr(0, n));
    ASSERT_FALSE(folder->find(key_of("a"))) << n;
    ASSERT_FALSE(std::filesystem::exists(file)) << "a bad entry stays";
  }
  write(file, whole + '\0');
  EXPECT_FALSE(folder->find(key_of("a")));
  EXPECT_THAT(remarks(), Contains(HasSubstr("cut off")));
  EXPECT_THAT(remarks(), Contains(HasSubstr("sizes are wrong")));
  write(file, whole);
  EXPECT_EQ(folder->find(key_of("a")), payload_of(2, 300));
}

TEST_F(EntryFolderTest, RejectsAnEntryWithAnyBitFlipped) {
  const auto folder = open(path);
  folder->store(key_of("a"), payload_of(3, 150));
  const std::filesystem::path file = only_file(path);
  const std::string whole = contents(file);
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
    write(file, flipped);
    ASSERT_FALSE(folder->find(key_of("a"))) << "bit " << bit;
  }
  EXPECT_THAT(remarks(), Contains(HasSubstr("checksum")));
}

TEST_F(EntryFolderTest, RejectsAForeignEntryUnderItsName) {
  const auto folder = open(path);
  folder->store(key_of("a", "another CPU"), "foreign");
  const std::filesystem::path foreign = only_file(path);
  const std::string bytes = contents(foreign);
  std::filesystem::remove(foreign);
  folder->store(key_of("a"), "ours");
  const std::filesystem::path ours = only_file(path);
  write(ours, bytes);
  EXPECT_FALSE(folder->find(key_of("a")));
  EXPECT_THAT(remarks(), Contains(HasSubstr("for something else: another CPU")));
  // The same environment, another key.
  folder->store(key_of("b"), "other");
  const std::string other = contents(only_file(path));
  write(ours, other);
  EXPECT_FALSE(folder->find(key_of("a")));
  EXPECT_THAT(remarks(), Contains(HasSubstr("its key is another")));
}

TEST_F(EntryFolderTest, FollowsNoLinksAndReadsOnlyFiles) {
  const auto folder = open(path);
  folder->store(key_of("a"), "x");
  const std::filesystem::path file = only_file(path), elsewhere = temporary.path() / "elsewhere";
  std::filesystem::rename(file, elsewhere);
  std::filesystem::create_symlink(elsewhere, file);
  EXPECT_FALSE(folder->find(key_of("a")));
  std::filesystem::remove(file);
  ASSERT_EQ(mkfifo(file.c_str(), 0600), 0);
  EXPECT_FALSE(folder->find(key_of("a")));
}

TEST_F(EntryFolderTest, StaysWithinItsLimitAndDropsTheLeastRecentlyUsed) {
  constexpr std::uint64_t kLimit = 200'000;
  const auto folder = open(path, kLimit);
  const auto total = [&] {
    std::uint64_t sum = 0;
    for (const EntryInfo& entry : folder->list()) sum += entry.bytes;
    return sum;
  };
  const std::string payload = payload_of(4, 5000);
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(folder->store(key_of(fmt::format("{}", i)), payload));
    ASSERT_LE(total(), kLimit);
    // Older than all: what was found lately stays.
    const timespec times[2] = {{0, UTIME_OMIT}, {1000 + i, 0}};
    for (const EntryInfo& entry : folder->list())
      if (entry.last_use > 1'000'000'000'000'000) utimensat(AT_FDCWD, (path / entry.name).c_str(), times, 0);
    EXPECT_TRUE(folder->find(key_of("0"))) << i;
  }
  EXPECT_TRUE(folder->find(key_of("99")));
  EXPECT_FALSE(folder->find(key_of("1")));
  EXPECT_FALSE(folder->store(key_of("huge"), payload_of(5, kLimit)));
  EXPECT_THAT(remarks(), Contains(HasSubstr("more than the cache may hold")));
}

TEST_F(EntryFolderTest, SurvivesWritersThatAreKilled) {
  constexpr int kKeys = 8;
  const auto body = [&] {
    const auto folder = open(path);
    for (std::uint64_t i = 0;; ++i) {
      const std::string key = fmt::format("{}", i % kKeys);
      folder->store(key_of(key), key + payload_of(i % kKeys, 100'000));
    }
    return 0;
  };
  std::mt19937_64 random(6);
  std::size_t partial = 0, whole = 0;
  // On a machine that is slow or busy it takes longer to meet one in the middle.
  for (std::uint64_t round = 0; round < 40 || (round < 400 && (whole == 0 || partial == 0)); ++round) {
    const pid_t child = fork();
    if (child == 0) _exit(body());
    std::this_thread::sleep_for(std::chrono::microseconds(2000 + random() % (8000 + 500 * round)));
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    const auto folder = open(path);
    for (const EntryInfo& entry : folder->list()) partial += entry.kind == "partial";
    for (int k = 0; k < kKeys; ++k) {
      const std::string key = fmt::format("{}", k);
      if (const auto payload = folder->find(key_of(key))) {
        ++whole;
        ASSERT_EQ(*payload, key + payload_of(static_cast<std::uint64_t>(k), 100'000));
      }
    }
  }
  EXPECT_GT(whole, 0u);
  EXPECT_GT(partial, 0u) << "no writer was killed in the middle";
  EXPECT_THAT(remarks(), IsEmpty()) << "an entry was seen before it was whole";
  // What they left goes once no living writer can own it.
  const timespec old[2] = {{0, UTIME_OMIT}, {1000, 0}};
  for (const auto& entry : std::filesystem::directory_iterator(path)) utimensat(AT_FDCWD, entry.path().c_str(), old, 0);
  const auto folder = open(path);
  folder->sweep(kPlenty);
  for (const EntryInfo& entry : folder->list()) EXPECT_NE(entry.kind, "partial");
}

TEST_F(EntryFolderTest, ServesTwoProcessesAtOnce) {
  const auto body = [&](std::uint64_t seed) {
    const auto folder = open(path, 300'000);  // holds a part: they sweep each other's entries
    std::mt19937_64 random(seed);
    int found = 0;
    for (int i = 0; i < 1500; ++i) {
      const std::uint64_t k = random() % 40;
      const std::string name = std::to_string(k);
      const EntryKey key = key_of(name);
      if (const auto payload = folder->find(key)) {
        if (*payload != payload_of(k, 20'000)) return 1;
        ++found;
      } else if (!folder->store(key, payload_of(k, 20'000))) {
        return 2;
      }
    }
    if (!event_log().remarks().empty())
      for (const std::string& remark : event_log().remarks())
        if (remark.find("dropped") == std::string::npos) return 3;
    return found > 100 ? 0 : 4;
  };
  std::vector<pid_t> children;
  for (std::uint64_t seed : {1, 2, 3}) {
    children.push_back(fork());
    if (children.back() == 0) _exit(body(seed));
  }
  for (pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
}

TEST_F(EntryFolderTest, SurvivesAProcessThatMayNotWriteSoMuch) {
  const int status = in_child([&] {
    const auto folder = open(path);
    const rlimit few{1000, 1000};
    setrlimit(RLIMIT_FSIZE, &few);
    const bool small = folder->store(key_of("small"), "x"), large = folder->store(key_of("large"), payload_of(7, 5000));
    const auto remarks = event_log().remarks();
    return small && !large && remarks.size() == 1 && remarks[0].find("larger than this process may write") != std::string::npos
               ? 0
               : 1;
  });
  EXPECT_EQ(status, 0);
}

TEST_F(EntryFolderTest, SurvivesAFullDisk) {
  std::filesystem::create_directories(path);
  ASSERT_EQ(chmod(path.c_str(), 0700), 0);
  const int status = in_child([&] {
    test::mount_small_memory(path);
    const auto folder = open(path);
    if (!folder) return 2;
    int stored = 0, refused = 0;
    for (std::uint64_t i = 0; i < 40; ++i)
      (folder->store(key_of(fmt::format("{}", i)), payload_of(i, 20'000)) ? stored : refused)++;
    for (std::uint64_t i = 0; i < 40; ++i)
      if (const auto payload = folder->find(key_of(fmt::format("{}", i)))) stored -= *payload == payload_of(i, 20'000);
    bool said = false, gave_up = false;
    for (const std::string& remark : event_log().remarks()) {
      said = said || remark.find("No space left") != std::string::npos;
      gave_up = gave_up || remark.find("nothing more is stored") != std::string::npos;
    }
    for (const EntryInfo& entry : folder->list())
      if (entry.kind == "partial") return 3;
    return refused > 0 && stored == 0 && said && gave_up ? 0 : 4;
  });
  if (WIFEXITED(status) && WEXITSTATUS(status) == test::kNoMount) GTEST_SKIP() << "this user may mount nothing";
  EXPECT_EQ(status, 0);
}

TEST_F(EntryFolderTest, ReadsFromAFolderThatItMayNotWriteTo) {
  open(path)->store(key_of("a"), "x");
  const std::filesystem::path file = only_file(path);
  if (geteuid() == 0) {  // root may write anywhere: the child is somebody else
    ASSERT_EQ(chown(path.c_str(), 65534, 65534) + chown(file.c_str(), 65534, 65534), 0);
    ASSERT_EQ(chmod(temporary.path().c_str(), 0755), 0);
  }
  ASSERT_EQ(chmod(path.c_str(), 0500), 0);
  const int status = in_child([&] {
    if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) return 1;
    const auto folder = open(path);
    if (!folder) return 2;
    if (folder->find(key_of("a")) != "x") return 3;
    for (int i = 0; i < 10; ++i)
      if (folder->store(key_of("b"), "y")) return 4;
    const auto remarks = event_log().remarks();
    const bool said =
        std::ranges::any_of(remarks, [](const auto& r) { return r.find("Permission denied") != std::string::npos; });
    return said && folder->find(key_of("a")) == "x" ? 0 : 5;
  });
  ASSERT_EQ(chmod(path.c_str(), 0700), 0);
  EXPECT_EQ(status, 0);
}

TEST(Bundle, GivesWhatWasPutIn) {
  EXPECT_TRUE(unbundle(bundle({}), "it").empty());
  const std::vector<BundledEntry> entries = {{"code", {"here", "a", payload_of(8, 200)}}, {"trace", {"there", "b", ""}}};
  const auto again = unbundle(bundle(entries), "it");
  ASSERT_EQ(again.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(again[i].kind, entries[i].kind);
    EXPECT_EQ(again[i].entry.environment, entries[i].entry.environment);
    EXPECT_EQ(again[i].entry.key, entries[i].entry.key);
    EXPECT_EQ(again[i].entry.payload, entries[i].entry.payload);
  }
}

TEST(Bundle, IsRefusedWholeWhereverItIsDamaged) {
  const std::string whole = bundle({{"code", {"here", "a", payload_of(9, 60)}}, {"trace", {"there", "b", "c"}}});
  for (std::size_t n = 0; n < whole.size(); ++n) EXPECT_THROW(unbundle(whole.substr(0, n), "it"), ValueError) << n;
  EXPECT_THROW(unbundle(whole + '\0', "it"), ValueError);
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
    EXPECT_THROW(unbundle(flipped, "it"), ValueError) << "bit " << bit;
  }
}

TEST_F(EntryFolderTest, WhoOnlyLooksChangesNothing) {
  const auto folder = open(path);
  folder->store(key_of("a"), "x");
  const std::filesystem::path file = only_file(path);
  const timespec old[2] = {{1000, 0}, {1000, 0}};
  utimensat(AT_FDCWD, file.c_str(), old, 0);
  std::string why_not;
  EXPECT_EQ(folder->examine(file.filename(), why_not)->payload, "x");
  EXPECT_EQ(folder->list()[0].last_use, 1'000'000'000'000);
  write(file, "damaged");
  EXPECT_FALSE(folder->examine(file.filename(), why_not));
  EXPECT_EQ(why_not, "it is cut off");
  EXPECT_TRUE(std::filesystem::exists(file));
  EXPECT_FALSE(folder->examine("0000", why_not));
  EXPECT_EQ(why_not, "");
  EXPECT_THAT(remarks(), IsEmpty());
}

TEST_F(EntryFolderTest, RemovesEntriesAlone) {
  const auto folder = open(path);
  folder->store(key_of("a"), "x");
  const std::string name = only_file(path).filename();
  write(path / "notes.txt", "mine");
  std::filesystem::create_symlink("notes.txt", path / name_of(key_of("b")));
  std::filesystem::create_directory(path / name_of(key_of("c")));
  for (const std::string& other : {std::string("notes.txt"), name_of(key_of("b")), name_of(key_of("c")), name_of(key_of("d"))})
    EXPECT_FALSE(folder->remove(other)) << other;
  folder->clear();
  EXPECT_FALSE(folder->remove(name));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(path), {}), 3);
}

TEST(CacheSettings, ComeFromTheEnvironment) {
  const auto with = [](const char* cache, const char* bytes, const char* caches, const char* home) {
    const std::pair<const char*, const char*> variables[] = {
        {"SWAGE_CACHE", cache}, {"SWAGE_CACHE_BYTES", bytes}, {"XDG_CACHE_HOME", caches}, {"HOME", home}};
    std::vector<std::pair<const char*, std::optional<std::string>>> before;
    for (const auto& [name, value] : variables) {
      const char* const old = std::getenv(name);
      before.emplace_back(name, old ? std::optional<std::string>(old) : std::nullopt);
      value ? setenv(name, value, 1) : unsetenv(name);
    }
    const CacheSettings settings = cache_settings();
    for (const auto& [name, value] : before) value ? setenv(name, value->c_str(), 1) : unsetenv(name);
    return settings;
  };
  EXPECT_EQ(with(nullptr, nullptr, nullptr, "/h").folder, "/h/.cache/swage");
  EXPECT_EQ(with(nullptr, nullptr, "/c", "/h").folder, "/c/swage");
  EXPECT_EQ(with(nullptr, nullptr, "relative", "/h").folder, "/h/.cache/swage");
  EXPECT_EQ(with("/there", nullptr, "/c", "/h").folder, "/there");
  EXPECT_EQ(with("off", nullptr, "/c", "/h").folder, "");
  EXPECT_EQ(with(nullptr, nullptr, nullptr, nullptr).folder, "");
  EXPECT_EQ(with(nullptr, nullptr, "/c", "/h").bytes, std::uint64_t{256} << 20);
  EXPECT_EQ(with(nullptr, "1000", "/c", "/h").bytes, 1000u);
  EXPECT_EQ(with(nullptr, "3K", "/c", "/h").bytes, 3u << 10);
  EXPECT_EQ(with(nullptr, "2G", "/c", "/h").bytes, std::uint64_t{2} << 30);
  for (const char* wrong : {"", "x", "3T", "3 M", "-1", "99999999999999999999", "99999999999G"}) {
    const CacheSettings settings = with(nullptr, wrong, "/c", "/h");
    EXPECT_EQ(settings.bytes, std::uint64_t{256} << 20) << wrong;
    EXPECT_EQ(settings.remark.empty(), *wrong == '\0') << wrong;
  }
}

}  // namespace
}  // namespace swage
