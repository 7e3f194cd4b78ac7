#include <runtime/engine/event_log.hpp>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <new>
#include <sys/mman.h>

#include <runtime/cache/build_id.hpp>
#include <runtime/engine/plan.hpp>
#include <runtime/engine/stream_impl.hpp>
#include <runtime/log/places.hpp>

namespace swage {
namespace {

std::string command_line() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(file)), {});
  std::replace(text.begin(), text.end(), '\0', ' ');
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

std::uint32_t stream_number() { return this_stream ? this_stream->impl().number : 0; }

}  // namespace

std::uint64_t nanoseconds_since_start() {
  static const auto start = std::chrono::steady_clock::now();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - start).count());
}

EventLog::Known::Known()
    : words_(static_cast<std::uint64_t*>(
          mmap(nullptr, kIds / 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))) {
  if (words_ == MAP_FAILED) throw std::bad_alloc();
}

bool EventLog::Known::insert(std::uint32_t id) noexcept {
  if (id >= kIds) return false;
  std::uint64_t& word = words_[id / 64];
  const std::uint64_t bit = std::uint64_t{1} << (id % 64);
  if (word & bit) return false;
  word |= bit;
  return true;
}

EventLog::EventLog(const std::filesystem::path& file)
    : writer_(file), is_read_(!writer_.path().empty() || std::getenv("SWAGE_DEBUG") || runlog::wanted_in_memory()) {
  writer_.append(runlog::BlobKind::command, {command_line()});
  store_modules();
  if (!writer_.trouble().empty()) remarks_.push_back("the event log is kept in memory only: " + writer_.trouble());
}

void EventLog::add(EventCode code, std::uint32_t trace, std::uint32_t position, std::uint32_t value, const KeyHalf& key,
                   CallSite site) noexcept {
  runlog::LoggedEvent event;
  event.ns = nanoseconds_since_start();
  event.site = site.address;
  event.code = static_cast<std::uint32_t>(code);
  event.trace = trace;
  event.position = position;
  event.value = value;
  event.stream = stream_number();
  event.key = key;
  const std::lock_guard lock(mutex_);
  if (is_read_ && key.op != Op::none) explain(key);
  writer_.add(runlog::Ring::decisions, event);
  // Sums that do not go round.
  runlog::Header& header = writer_.header();
  const auto count = [](std::atomic<std::uint64_t>& sum, std::uint64_t n) { sum.fetch_add(n, std::memory_order_relaxed); };
  if (code == EventCode::assembled) count(header.assembled, 1);
  if (code == EventCode::failed) count(header.compile_failures, 1);
  if (code != EventCode::compiled) return;
  const std::uint64_t ns = std::uint64_t{value} * 1000;
  count(header.compiles, 1);
  count(header.compile_ns, ns);
  header.compile_ns_at_most.store(std::max(header.compile_ns_at_most.load(), ns));
}

void EventLog::add_hits(std::uint32_t trace, std::uint32_t count, std::uint64_t since_ns, std::uint64_t now_ns) noexcept {
  if (!is_read_) return;
  runlog::LoggedEvent event;
  event.ns = since_ns;
  event.until_ns = now_ns;
  event.code = static_cast<std::uint32_t>(EventCode::hit);
  event.trace = trace;
  event.value = count;
  event.stream = stream_number();
  const std::lock_guard lock(mutex_);
  writer_.add(runlog::Ring::hits, event);
}

std::vector<Event> EventLog::events() const {
  std::vector<Event> events;
  {
    const std::lock_guard lock(mutex_);
    for (const runlog::Ring ring : {runlog::Ring::decisions, runlog::Ring::hits})
      writer_.each(ring, [&](const runlog::LoggedEvent& event) {
        events.push_back({event.ns, static_cast<EventCode>(event.code), event.trace, event.position, event.value, event.key,
                          CallSite{event.site}, event.stream});
      });
  }
  std::ranges::stable_sort(events, {}, &Event::ns);
  return events;
}

std::uint64_t EventLog::total() const {
  const std::lock_guard lock(mutex_);
  const runlog::Header& header = writer_.header();
  return header.decisions.load() + header.hits.load();
}

runlog::Run EventLog::snapshot() const {
  std::string bytes;
  {
    const std::lock_guard lock(mutex_);
    bytes = writer_.bytes();
  }
  return runlog::read(std::string_view(bytes));
}

void EventLog::explain(const KeyHalf& key) noexcept {
  for (int k = 0; k < 3; ++k)
    if (key.operands[k].is_tensor() || (key.op == Op::input && k == 0)) explain_descriptor(key.operands[k].desc);
  if (key.attr != 0) explain_attribute(key.attr);
}

void EventLog::explain_descriptor(DescId id) noexcept {
  if (!descriptors_.insert(id)) return;
  const ViewDesc& desc = desc_of(id);
  runlog::DescriptorBlob blob;
  blob.id = id;
  blob.dtype = static_cast<std::uint32_t>(desc.dtype);
  blob.rank = static_cast<std::uint32_t>(desc.rank());
  for (int d = 0; d < desc.rank(); ++d) {
    blob.extents[d] = desc.dims[d];
    blob.strides[d] = desc.strides[d];
  }
  writer_.append(runlog::BlobKind::descriptor, {runlog::bytes_of(blob)});
}

void EventLog::explain_attribute(AttrId id) noexcept {
  if (!attributes_.insert(id)) return;
  const Attribute& attribute = attribute_of(id);
  const runlog::AttributeBlob blob{id, static_cast<std::uint32_t>(attribute.dtype), attribute.real, attribute.ints.size()};
  writer_.append(runlog::BlobKind::attribute, {runlog::bytes_of(blob), runlog::bytes_of_all(attribute.ints)});
}

// Libraries may be loaded at any time: those that a call site may lie in are stored before the trace.
void EventLog::store_modules() noexcept {
  try {
    if (modules_loaded() == modules_) return;
    for (const LoadedModule& module : loaded_modules()) {
      const runlog::ModuleBlob blob{module.bias, module.begin, module.end, static_cast<std::uint32_t>(module.build_id.size()),
                                    0};
      writer_.append(runlog::BlobKind::module, {runlog::bytes_of(blob), module.build_id, module.path});
    }
    modules_ = modules_loaded();
  } catch (const std::exception&) {
    modules_ = 0;  // without memory, places stay addresses until there is some
  }
}

runlog::TraceFigures* EventLog::store(const Trace& trace) noexcept {
  if (!is_read_) return nullptr;
  const std::lock_guard lock(mutex_);
  store_modules();
  for (std::size_t i = 0; i < trace.size(); ++i) {
    explain(trace.keys[i]);
    if (trace.keys[i].op != Op::cut) explain_descriptor(trace.results[i]);
  }
  const runlog::TraceBlob blob{trace.id, static_cast<std::uint32_t>(trace.size())};
  // Traces of earlier processes have no sites.
  std::string_view sites = runlog::bytes_of_all(trace.sites);
  std::string none;
  if (trace.sites.size() != trace.size()) {
    try {
      none.assign(trace.size() * sizeof(CallSite), '\0');
    } catch (const std::bad_alloc&) {
      return nullptr;
    }
    sites = none;
  }
  if (!writer_.append(runlog::BlobKind::trace,
                      {runlog::bytes_of(blob), runlog::bytes_of_all(trace.keys), runlog::bytes_of_all(trace.results), sites}))
    return nullptr;
  runlog::TraceFigures figures;
  figures.trace = trace.id;
  return static_cast<runlog::TraceFigures*>(writer_.append(runlog::BlobKind::figures, {runlog::bytes_of(figures)}));
}

runlog::EscapeFigures* EventLog::store_escape(std::uint32_t trace, std::uint32_t storage) noexcept {
  if (!is_read_) return nullptr;
  runlog::EscapeFigures figures;
  figures.trace = trace;
  figures.storage = storage;
  const std::lock_guard lock(mutex_);
  return static_cast<runlog::EscapeFigures*>(writer_.append(runlog::BlobKind::escape, {runlog::bytes_of(figures)}));
}

void EventLog::store_plan(std::uint32_t trace, const CompileResult& made, bool tight, double ms) noexcept {
  if (!is_read_) return;
  const auto& words = made.plan->escapes().words();
  const runlog::PlanBlob blob{trace,
                              tight,
                              static_cast<std::uint32_t>(made.groups),
                              static_cast<std::uint32_t>(made.fused_ops),
                              static_cast<std::uint32_t>(made.library_calls),
                              static_cast<std::uint32_t>(made.generated),
                              made.plan->arena_bytes(),
                              ms,
                              words.size()};
  const std::lock_guard lock(mutex_);
  writer_.append(runlog::BlobKind::plan, {runlog::bytes_of(blob), runlog::bytes_of_all(words), made.notes});
}

void EventLog::store_sites(std::uint32_t trace, const ValueHalf* records, std::size_t n) noexcept {
  if (!is_read_) return;
  std::vector<CallSite> sites;
  try {
    for (std::size_t i = 0; i < n; ++i) sites.push_back(records[i].site);
  } catch (const std::bad_alloc&) {
    return;
  }
  const runlog::TraceBlob blob{trace, static_cast<std::uint32_t>(n)};
  const std::lock_guard lock(mutex_);
  writer_.append(runlog::BlobKind::sites, {runlog::bytes_of(blob), runlog::bytes_of_all(sites)});
}

void EventLog::store_refusal(std::uint32_t trace, std::string_view why) noexcept {
  if (!is_read_) return;
  const std::lock_guard lock(mutex_);
  writer_.append(runlog::BlobKind::refusal, {runlog::bytes_of(trace), why});
}

StreamCounters& EventLog::new_stream() {
  const std::lock_guard lock(mutex_);
  runlog::StreamFigures figures;
  figures.number = ++streams_;
  if (void* const place = writer_.append(runlog::BlobKind::stream, {runlog::bytes_of(figures)}))
    return static_cast<runlog::StreamFigures*>(place)->counters;
  return *new StreamCounters;
}

void EventLog::end() noexcept {
  const std::uint64_t now = nanoseconds_since_start();
  writer_.header().last_ns.store(now, std::memory_order_relaxed);
  writer_.header().ended_ns.store(now, std::memory_order_relaxed);
}

void EventLog::after_fork(bool in_child) {
  if (in_child) writer_.leave_file();
  mutex_.unlock();
}

void EventLog::remark(std::string text) {
  constexpr std::size_t kMostRemarks = 256;
  const std::lock_guard lock(mutex_);
  if (std::ranges::find(remarks_, text) != remarks_.end()) return;
  writer_.append(runlog::BlobKind::remark, {text});
  if (remarks_.size() == kMostRemarks) remarks_.erase(remarks_.begin());
  remarks_.push_back(std::move(text));
}

std::vector<std::string> EventLog::remarks() const {
  const std::lock_guard lock(mutex_);
  return remarks_;
}

void EventLog::clear_remarks() {
  const std::lock_guard lock(mutex_);
  remarks_.clear();
}

EventLog& event_log() {
  static auto* const log = [] {
    nanoseconds_since_start();
    auto* const made = new EventLog(runlog::own_file());
    std::atexit([] { event_log().end(); });
    return made;
  }();
  return *log;
}

}  // namespace swage
