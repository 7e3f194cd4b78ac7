// `swage cache export` and `import`: plans and their code in one file. It holds machine code that a program would run: what is imported
// should come from somebody who is trusted as much as the program itself.
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <jit/cache/plan_code.hpp>
#include <runtime/cache/bundle.hpp>
#include <runtime/core/error.hpp>
#include <runtime/engine/event_log.hpp>
#include <tools/cache/commands.hpp>
#include <tools/cache/entries.hpp>
#include <tools/cli/usage.hpp>

namespace swage::tool {
namespace {

struct Wishes {
  std::string file;
  std::vector<std::string> ids;
  bool json = false;
};

// Whole or not at all: under a name of its own first, and on the disk before it takes its name. Only its owner may read it.
void write_whole(const std::string& path, std::string_view bytes) {
  const std::string partial = fmt::format("{}.{}.partial", path, getpid());
  std::remove(partial.c_str());
  const int file = open(partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
  bool good = file >= 0;
  while (good && !bytes.empty()) {
    const ssize_t n = write(file, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    good = n > 0;
    if (good) bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  good = good && fsync(file) == 0;
  const int error = errno;
  if (file >= 0) good = close(file) == 0 && good;
  good = good && std::rename(partial.c_str(), path.c_str()) == 0;
  if (good) return;
  const int why = file >= 0 && error == 0 ? errno : error;
  if (file >= 0) std::remove(partial.c_str());
  raise<IoError>({}, "{} cannot be written: {}", path, std::strerror(why ? why : errno));  // NOLINT(concurrency-mt-unsafe)
}

std::string read_whole(const std::string& path) {
  struct stat status{};
  if (stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode))
    raise<IoError>({}, "{} cannot be read: there is no such file", path);
  std::ifstream file(path, std::ios::binary);
  if (!file) raise<IoError>({}, "{} cannot be read: {}", path, std::strerror(errno));  // NOLINT(concurrency-mt-unsafe)
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  return bytes;
}

// The entries that are named, with the code that their plans run; without names all that this build can use here.
std::vector<const StoredEntry*> chosen(const std::vector<StoredEntry>& entries, const EntryFolder& folder,
                                       const std::vector<std::string>& ids) {
  std::set<std::string> wanted;  // names of files
  std::vector<StoredTrace> traces;
  std::vector<bool> is_named;
  for (const std::string& id : ids) {
    const StoredEntry& entry = entry_named(entries, folder, id);
    if (entry.state != EntryState::ready) usage_error("{} is {}: {}", entry.id, label_of(entry.state), entry.why);
    wanted.insert(entry.info.name);
  }
  for (const StoredEntry& entry : entries) {
    if (!entry.trace) continue;
    traces.push_back(*entry.trace);
    is_named.push_back(wanted.contains(entry.info.name));
  }
  if (!ids.empty()) {
    const auto codes = jit::code_of_plans(folder, traces);
    for (std::size_t i = 0; i < codes.size(); ++i)
      if (is_named[i]) wanted.insert(codes[i].here.begin(), codes[i].here.end());
  }
  std::vector<const StoredEntry*> found;
  for (const StoredEntry& entry : entries)
    if (entry.state == EntryState::ready && (ids.empty() || wanted.contains(entry.info.name))) found.push_back(&entry);
  return found;
}

void export_to(const Wishes& wishes) {
  const auto folder = need_folder();
  const auto entries = entries_in(*folder);
  std::vector<BundledEntry> bundled;
  std::size_t plans = 0;
  for (const StoredEntry* const entry : chosen(entries, *folder, wishes.ids)) {
    bundled.push_back({entry->info.kind, *entry->entry});
    plans += entry->is_plan();
  }
  const std::string bytes = bundle(bundled);
  write_whole(wishes.file, bytes);
  const std::size_t code = bundled.size() - plans, left_out = wishes.ids.empty() ? entries.size() - bundled.size() : 0;
  if (wishes.json) {
    const nlohmann::ordered_json json = {
        {"file", wishes.file}, {"bytes", bytes.size()}, {"plans", plans}, {"code", code}, {"left_out", left_out}};
    fmt::print("{}\n", json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    return;
  }
  fmt::print("{} and {} of code in {}, {}\n", count_text(plans, "plan", "plans"), count_text(code, "function", "functions"),
             wishes.file, size_text(bytes.size()));
  if (left_out > 0)
    fmt::print("{} left out, which this build cannot use: `swage cache verify` says why\n", count_text(left_out));
}

struct Imported {
  std::size_t plans = 0, code = 0, replaced = 0, present = 0;
  std::map<std::string, std::size_t> refused;  // by reason
};

Imported put_in_place(EntryFolder& folder, std::vector<BundledEntry>& bundled) {
  std::vector<StoredEntry> good;
  std::uint64_t bytes = 0;
  Imported result;
  for (BundledEntry& one : bundled) {
    StoredEntry entry;
    entry.info.kind = one.kind;
    entry.info.name = name_of({one.kind, one.entry.environment, one.entry.key});
    entry.entry = std::move(one.entry);
    judge(entry, {});
    if (entry.state != EntryState::ready) {
      ++result.refused[fmt::format("{}: {}", label_of(entry.state), entry.why)];
      continue;
    }
    constexpr std::uint64_t kBlock = 4096;  // what it takes on disk
    bytes += (encode({one.kind, entry.entry->environment, entry.entry->key}, entry.entry->payload).size() + kBlock - 1) /
             kBlock * kBlock;
    good.push_back(std::move(entry));
  }
  if (bytes > folder.limit())
    usage_error("the cache may hold {}, and these entries take {}: SWAGE_CACHE_BYTES raises the limit",
                size_text(folder.limit()), size_text(bytes));
  for (const StoredEntry& entry : good) {
    StoredEntry present;
    std::string why_not;
    present.info = entry.info;
    present.entry = folder.examine(entry.info.name, why_not);
    const bool was_there = present.entry || !why_not.empty();
    if (was_there) judge(present, why_not);
    if (was_there && present.state != EntryState::damaged) {
      ++result.present;
      continue;
    }
    if (!folder.store({entry.info.kind, entry.entry->environment, entry.entry->key}, entry.entry->payload))
      raise<IoError>({}, "{}", event_log().remarks().back());
    result.replaced += was_there;
    ++(entry.is_plan() ? result.plans : result.code);
  }
  return result;
}

void import_from(const Wishes& wishes) {
  const auto folder = need_folder();
  std::vector<BundledEntry> bundled = unbundle(read_whole(wishes.file), wishes.file);
  const Imported result = put_in_place(*folder, bundled);
  std::size_t refused = 0;
  for (const auto& [why, n] : result.refused) refused += n;
  if (wishes.json) {
    auto reasons = nlohmann::ordered_json::array();
    for (const auto& [why, n] : result.refused) reasons.push_back({{"why", why}, {"entries", n}});
    const nlohmann::ordered_json json = {{"plans", result.plans},     {"code", result.code}, {"replaced", result.replaced},
                                         {"present", result.present}, {"refused", refused},  {"reasons", reasons}};
    fmt::print("{}\n", json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  } else {
    fmt::print("{} and {} of code imported", count_text(result.plans, "plan", "plans"),
               count_text(result.code, "function", "functions"));
    if (result.replaced > 0) fmt::print(", {} in place of damaged entries", result.replaced);
    if (result.present > 0) fmt::print("; {} there already", result.present);
    fmt::print("\n");
    for (const auto& [why, n] : result.refused) fmt::print(stderr, "swage: {} refused: {}\n", count_text(n), why);
  }
  if (refused > 0) throw CLI::RuntimeError(1);
}

CLI::App* add_exchange(CLI::App& cache, const char* name, const char* what, const char* file,
                       const std::shared_ptr<Wishes>& wishes) {
  CLI::App* const command = cache.add_subcommand(name, what);
  command->add_option("file", wishes->file, file)->required();
  command->add_flag("--json", wishes->json, "as one line of JSON");
  return command;
}

}  // namespace

void add_cache_export(CLI::App& cache) {
  auto wishes = std::make_shared<Wishes>();
  CLI::App* const command =
      add_exchange(cache, "export", "plans and their code, in one file", "is replaced once it is whole", wishes);
  command->add_option("ids", wishes->ids, "of plans, with the code they run (default: all entries)");
  command->callback([wishes] { export_to(*wishes); });
}

void add_cache_import(CLI::App& cache) {
  auto wishes = std::make_shared<Wishes>();
  CLI::App* const command = add_exchange(cache, "import", "what `export` wrote; exits 1 where something was refused",
                                         "it holds machine code: trust it as you trust the program", wishes);
  command->callback([wishes] { import_from(*wishes); });
}

}  // namespace swage::tool
