#include <runtime/engine/debug_report.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <pthread.h>
#include <string>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include <runtime/engine/event_log.hpp>
#include <runtime/engine/event_words.hpp>
#include <runtime/log/reader.hpp>

namespace swage {
namespace {

class DebugReport {
 public:
  explicit DebugReport(int level) : level_(level) {}

  // What is new since the last time. What cannot be shown, for want of memory or because the log was damaged, is not: the program goes on.
  void print() noexcept {
    try {
      print_new();
    } catch (const std::exception&) {
      if (!std::exchange(failed_, true)) std::fputs("swage: some of what SWAGE_DEBUG asks for could not be shown\n", stderr);
    }
  }

 private:
  void print_new() {
    if (getpid() != pid_) return;  // a forked child has no such thread, and perhaps a locked mutex
    const std::lock_guard lock(mutex_);
    std::string text;
    const std::vector<std::string> remarks = event_log().remarks();
    for (; remarks_ < remarks.size(); ++remarks_) text += fmt::format("swage {:>12}  remark: {}\n", "", remarks[remarks_]);
    std::fwrite(text.data(), 1, text.size(), stderr);
    if (event_log().total() == seen_) return;
    text.clear();
    seen_ = event_log().total();
    const runlog::Run run = event_log().snapshot();
    std::uint64_t hits = hits_, decisions = decisions_;
    for (const runlog::EventEntry& event : run.events) {
      const auto code = static_cast<EventCode>(event.code);
      const bool is_hit = code == EventCode::hit;
      if (event.sequence <= (is_hit ? hits_ : decisions_)) continue;
      (is_hit ? hits : decisions) = std::max(is_hit ? hits : decisions, event.sequence);
      if (static_cast<int>(weight_of(code)) <= level_) text += described(run, event);
    }
    if (const std::uint64_t first = first_left(run); first > decisions_ + 1)
      text = line(run.last_ns, fmt::format("{} events came too fast to be shown", first - decisions_ - 1)) + text;
    hits_ = hits;
    decisions_ = decisions;
    std::fwrite(text.data(), 1, text.size(), stderr);
  }

  static std::string line(std::uint64_t ns, const std::string& text) {
    return fmt::format("swage {:>9.3f} ms  {}\n", static_cast<double>(ns) * 1e-6, text);
  }

  // The oldest decision that the ring still holds.
  static std::uint64_t first_left(const runlog::Run& run) {
    std::uint64_t first = run.decisions + 1;
    for (const runlog::EventEntry& event : run.events)
      if (static_cast<EventCode>(event.code) != EventCode::hit) first = std::min(first, event.sequence);
    return first;
  }

  std::string described(const runlog::Run& run, const runlog::EventEntry& event) const {
    const auto code = static_cast<EventCode>(event.code);
    const runlog::TraceEntry* const entry = run.find(event.trace);
    const EventWords words = words_for({code, event.trace, event.position, event.value, event.key,
                                        entry ? &entry->trace : nullptr, entry ? std::string_view(entry->refusal) : ""});
    CallSite site{reinterpret_cast<const void*>(event.site)};  // NOLINT(performance-no-int-to-ptr)
    if (const Blame blame = blame_of(code); entry && blame != Blame::nothing && !site.known()) {
      const auto& sites = entry->trace.sites;
      for (std::size_t i = blame == Blame::record ? event.position : 0; i < sites.size() && !site.known(); ++i) site = sites[i];
    }
    std::string text =
        line(event.ns, fmt::format("{}: {}{}{}{}{}", kEventNames[event.code], words.what, words.why.empty() ? "" : "; ",
                                   words.why, site.known() ? "; at " : "", site.known() ? describe(site) : ""));
    if (code != EventCode::adopted || level_ < static_cast<int>(Weight::work) || !entry || entry->plans.empty()) return text;
    const runlog::PlanEntry& plan = entry->plans.back();
    return text + print_trace(entry->trace, plan);
  }

  static std::string print_trace(const Trace& trace, const runlog::PlanEntry& plan) {
    return swage::print(trace, &plan.escapes) + plan.notes + (plan.notes.empty() || plan.notes.ends_with('\n') ? "" : "\n");
  }

  const int level_;
  const pid_t pid_ = getpid();
  std::mutex mutex_;
  std::uint64_t seen_ = 0, hits_ = 0, decisions_ = 0;
  std::size_t remarks_ = 0;
  bool failed_ = false;
};

DebugReport* report = nullptr;  // never freed: its thread runs to the end

}  // namespace

void start_debug_report() {
  const char* const text = std::getenv("SWAGE_DEBUG");
  if (!text || !*text || std::string_view(text) == "0") return;
  const std::string_view level(text);
  if (level.size() != 1 || level[0] < '1' || level[0] > '4') {
    fmt::print(stderr, "swage: SWAGE_DEBUG is '{}', which is none of 1 (trouble), 2 (losses), 3 (decisions), 4 (everything)\n",
               level);
    return;
  }
  report = new DebugReport(level[0] - '0');
  std::atexit([] { report->print(); });
  try {
    std::thread([] {
      pthread_setname_np(pthread_self(), "swage-debug");
      for (;; std::this_thread::sleep_for(std::chrono::milliseconds(100))) report->print();
    }).detach();
  } catch (const std::system_error&) {
    std::fputs("swage: no thread for SWAGE_DEBUG: all of it is shown at the end\n", stderr);
  }
}

}  // namespace swage
