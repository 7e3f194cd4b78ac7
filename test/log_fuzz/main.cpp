// Fuzzes the reader of logs, and the commands of `swage trace` behind it: whatever a log holds, reading it ends, in bounded time and
// memory, and what escapes is an error for the command line. Logs are read in child processes, a batch each, so that one that crashes, hangs or
// takes too much is a finding that the rest survives; it is kept as a file. The last line is one JSON object: logs, read (not refused), damaged
// (with damage that was named), outlines, commands, findings, seed.
#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <iostream>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <test/log_fuzz/corpus.hpp>
#include <test/log_fuzz/layout.hpp>
#include <test/log_fuzz/mutate.hpp>
#include <test/log_fuzz/walk.hpp>
#include <test/runtime/temporary_folder.hpp>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
// One allocation that is larger than this is a finding; without the sanitizer all of them together are limited.
extern "C" const char* __asan_default_options() { return "max_allocation_size_mb=1024:detect_leaks=0"; }
#endif

namespace swage::log_fuzz {
namespace {

constexpr std::uint64_t kBatch = 2000;  // logs a process; what is interned goes with it
constexpr int kProcessorSeconds = 20;   // a log; `check` compiles its traces
constexpr int kSeconds = 300;           // a log, on a machine that is busy
constexpr std::uint64_t kMemory = std::uint64_t{4} << 30;
constexpr std::uint64_t kMostFindings = 20;

// What a child says before it goes.
struct Shared {
  std::uint64_t at = 0;  // the log at hand
  Walked walked;
  std::array<char, 4096> doing{};
};

void limit_time() {
  const itimerval used{{0, 0}, {kProcessorSeconds, 0}}, passed{{0, 0}, {kSeconds, 0}};
  setitimer(ITIMER_PROF, &used, nullptr);
  setitimer(ITIMER_REAL, &passed, nullptr);
}

// What commands print goes nowhere; what a sanitizer has to say does not.
void be_quiet() {
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_set_report_fd(
      reinterpret_cast<void*>(static_cast<std::intptr_t>(dup(STDERR_FILENO))));  // NOLINT(performance-no-int-to-ptr)
#else
  const rlimit memory{kMemory, kMemory};
  setrlimit(RLIMIT_AS, &memory);
#endif
  const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  dup2(nowhere, STDOUT_FILENO);
  dup2(nowhere, STDERR_FILENO);
  close(nowhere);
}

class Fuzzer {
 public:
  Fuzzer(const std::filesystem::path& folder, std::uint64_t seed, std::filesystem::path keep)
      : folder_(folder), seed_(seed), keep_(std::move(keep)) {
    for (const std::string& log : make_corpus(folder)) logs_.push_back(take_apart(log));
    setenv("SWAGE_LOG", "off", /*overwrite=*/1);
    void* const memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    shared_ = new (memory) Shared;
  }

  int run(std::uint64_t count) {
    while (done_ < count && findings_ < kMostFindings) batch(std::min(done_ + kBatch, count));
    std::cout << fmt::format(
                     R"({{"logs": {}, "read": {}, "damaged": {}, "outlines": {}, "commands": {}, "findings": {}, "seed": {}}})",
                     done_, shared_->walked.read, shared_->walked.damaged, shared_->walked.outlines, shared_->walked.commands,
                     findings_, seed_)
              << std::endl;
    return findings_ > 0;
  }

 private:
  std::string log_of(std::uint64_t i, Random& random) const {
    random.seed(seed_ * 0x9E3779B97F4A7C15 + i);
    return mutated(logs_, random);
  }

  // From where we are to `end`, or to the first finding.
  void batch(std::uint64_t end) {
    const pid_t child = fork();
    if (child == 0) {
      be_quiet();
      _exit(walk_until(end));
    }
    int status = 0;
    waitpid(child, &status, 0);
    done_ = end;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
    done_ = shared_->at + 1;
    ++findings_;
    Random random;
    const std::filesystem::path file = keep_ / fmt::format("finding-{}-{}.swagelog", seed_, shared_->at);
    const std::string bytes = log_of(shared_->at, random);
    std::ofstream(file, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    const std::string how =
        WIFSIGNALED(status) ? fmt::format("signal {}", WTERMSIG(status)) : fmt::format("exit code {}", WEXITSTATUS(status));
    std::cout << fmt::format("log {}: {}{} in\n{}\nkept as {}\n", shared_->at, how,
                             WIFSIGNALED(status) && (WTERMSIG(status) == SIGPROF || WTERMSIG(status) == SIGALRM)
                                 ? " (out of time)"
                                 : "",
                             shared_->doing.data(), file.string())
              << std::flush;
  }

  int walk_until(std::uint64_t end) {
    const auto says = [this](const std::string& what) {
      const std::size_t n = std::min(what.size(), shared_->doing.size() - 1);
      std::memcpy(shared_->doing.data(), what.data(), n);
      shared_->doing[n] = '\0';
    };
    Walker walker(folder_, says);
    Random random;
    for (std::uint64_t i = done_; i < end; ++i) {
      shared_->at = i;
      const std::string bytes = log_of(i, random);
      limit_time();
      try {
        shared_->walked += walker.walk(bytes, random);
      } catch (const std::exception& error) {
        says(std::string(shared_->doing.data()) + "\nwhich let escape: " + error.what());
        return 1;
      }
    }
    return 0;
  }

  std::filesystem::path folder_;
  std::uint64_t seed_;
  std::filesystem::path keep_;
  std::vector<Log> logs_;
  Shared* shared_ = nullptr;
  std::uint64_t done_ = 0, findings_ = 0;
};

int replay(const std::filesystem::path& folder, const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  Walker walker(folder, [](const std::string& what) { std::cerr << what << "\n"; });
  walker.walk_all(bytes);
  return 0;
}

int run(int argc, char** argv) {
  CLI::App app("Mutated logs: each is read, and nothing crashes or hangs.");
  std::uint64_t count = 10'000, seed = 1;
  std::string file, keep = ".";
  app.add_option("--count", count, "How many logs")->capture_default_str();
  app.add_option("--seed", seed, "Of the mutations")->capture_default_str();
  app.add_option("--keep", keep, "The folder for logs that are findings")->check(CLI::ExistingDirectory)->capture_default_str();
  app.add_option("--replay", file, "Give this log to every command")->check(CLI::ExistingFile);
  CLI11_PARSE(app, argc, argv);
  const test::TemporaryFolder folder;
  return file.empty() ? Fuzzer(folder.path(), seed, keep).run(count) : replay(folder.path(), file);
}

}  // namespace
}  // namespace swage::log_fuzz

int main(int argc, char** argv) {
  try {
    return swage::log_fuzz::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "fuzz_logs: " << error.what() << "\n";
    return 2;
  }
}
