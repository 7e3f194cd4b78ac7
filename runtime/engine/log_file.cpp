#include <runtime/engine/log_file.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>
#include <unordered_map>

#include <fmt/format.h>

#include <runtime/engine/event_log.hpp>
#include <runtime/engine/registry.hpp>
#include <runtime/engine/stream_impl.hpp>

namespace swage {
namespace {

constexpr std::size_t kKeptLogs = 32;

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\t': out += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20)
          out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        else
          out += c;
    }
  }
  return out + '"';
}

std::string command_line() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(file)), {});
  std::replace(text.begin(), text.end(), '\0', ' ');
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

std::string trace_line(const KnownTrace& known) {
  return fmt::format(
      R"({{"trace":{},"records":{},"ops":{},"runs":{},"hits":{},"side_exits":{},"eager_us":{:.3f},"plan":{},"compile_ms":{:.3f},)"
      R"("groups":{},"fused_ops":{},"library_calls":{},"refusal":{},"notes":{},"text":{}}})",
      known.trace.id, known.trace.size(), known.history.ops, known.history.runs, known.hits, known.side_exits,
      known.history.eager_ns / 1000, known.has_plan(), known.compile_ms, known.groups, known.fused_ops, known.library_calls,
      json_string(known.refusal), json_string(known.notes),
      json_string(print(known.trace, known.has_plan() ? &known.wide.plan->escapes() : &known.seen)));
}

std::string write_path;

}  // namespace

std::filesystem::path log_folder() {
  if (const char* runtime = std::getenv("XDG_RUNTIME_DIR"); runtime && *runtime)
    return std::filesystem::path(runtime) / "swage";
  std::error_code ignored;
  auto temporary = std::filesystem::temp_directory_path(ignored);
  if (ignored) temporary = "/tmp";
  return temporary / fmt::format("swage-{}", getuid());
}

std::vector<std::filesystem::path> list_logs() {
  std::vector<std::pair<std::filesystem::file_time_type, std::filesystem::path>> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(log_folder(), error))
    if (entry.path().extension() == ".jsonl") found.emplace_back(entry.last_write_time(error), entry.path());
  std::sort(found.rbegin(), found.rend());
  std::vector<std::filesystem::path> paths;
  paths.reserve(found.size());
  for (auto& [time, path] : found) paths.push_back(std::move(path));
  return paths;
}

bool write_log(const std::filesystem::path& path) {
  const std::string temporary = fmt::format("{}.{}.partial", path.string(), getpid());
  std::FILE* file = std::fopen(temporary.c_str(), "w");
  if (!file) return false;
  const auto line = [&](const std::string& text) { fmt::print(file, "{}\n", text); };
  try {
    line(fmt::format(R"({{"swage_log":{},"pid":{},"command":{},"seconds":{:.3f}}})", kLogVersion, getpid(),
                     json_string(command_line()), static_cast<double>(nanoseconds_since_start()) * 1e-9));
    const EngineStats stats = engine_stats();
    line(fmt::format(
        R"({{"counters":{{"ops":{},"compiled_ops":{},"windows":{},"hits":{},"misses":{},"side_exits":{},"traces":{},"compiles":{},"assembled":{},"compile_failures":{},"compile_ms_total":{:.3f}}}}})",
        stats.ops, stats.compiled_ops, stats.windows, stats.hits, stats.misses, stats.side_exits, stats.traces, stats.compiles,
        stats.assembled, stats.compile_failures, stats.compile_ms_total));
    std::unordered_map<std::uint32_t, const KnownTrace*> by_id;
    StreamRegistry::get().each([&](Stream& stream) {
      for (const auto& known : stream.impl().trie.traces()) {
        line(trace_line(*known));
        by_id[known->trace.id] = known.get();
      }
    });
    for (const std::string& remark : event_log().remarks()) line(fmt::format(R"({{"remark":{}}})", json_string(remark)));
    for (const Event& event : event_log().events()) {
      std::string why;
      const bool left = event.code == EventCode::missed || event.code == EventCode::side_exit;
      if (const auto it = by_id.find(event.trace); left && event.key.op != Op::none && it != by_id.end()) {
        const Trace& trace = it->second->trace;
        why = event.position < trace.size() ? describe_difference(trace.keys[event.position], event.key) : "it went on";
      }
      if (event.code == EventCode::shelved) why = fmt::format("its plan takes {} % of the eager time", event.value);
      if (event.code == EventCode::forked)
        why = fmt::format("it goes on in many ways from there: windows end, and t{} is what stands before", event.value);
      if (event.code == EventCode::closed) why = "the same has always followed of late";
      if (event.code == EventCode::storm)
        why = fmt::format("{} compilations of this structure have not paid for themselves yet", event.value);
      line(fmt::format(R"({{"event":{},"ns":{},"trace":{},"position":{},"value":{},"why":{}}})",
                       json_string(kEventNames[static_cast<std::size_t>(event.code)]), event.ns, event.trace, event.position,
                       event.value, json_string(why)));
    }
  } catch (...) {
    std::fclose(file);
    std::remove(temporary.c_str());
    return false;
  }
  const bool written = std::fclose(file) == 0;
  if (!written || std::rename(temporary.c_str(), path.c_str()) != 0) {
    std::remove(temporary.c_str());
    return false;
  }
  return true;
}

void write_log_at_exit() {
  const char* wanted = std::getenv("SWAGE_LOG");
  if (wanted && std::string_view(wanted) == "off") return;
  if (wanted && *wanted) {
    write_path = wanted;
  } else {
    const auto folder = log_folder();
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (chmod(folder.c_str(), S_IRWXU) != 0) return;  // not ours: nothing is written
    write_path = folder / fmt::format("run-{}.jsonl", getpid());
  }
  std::atexit([] {
    if (shared_engine().forked) return;  // the parent writes it
    const std::filesystem::path path(write_path);
    if (!write_log(path)) {
      fmt::print(stderr, "swage: the event log could not be written to {}\n", write_path);
      return;
    }
    if (path.parent_path() != log_folder()) return;
    const auto logs = list_logs();
    std::error_code ignored;
    for (std::size_t i = kKeptLogs; i < logs.size(); ++i) std::filesystem::remove(logs[i], ignored);
  });
}

}  // namespace swage
