#include <swage/data/stream.hpp>

#include <algorithm>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <runtime/core/error.hpp>
#include <swage/creation.hpp>
#include <swage/data/byte_source.hpp>
#include <swage/data/record_parser.hpp>
#include <swage/data/record_queue.hpp>

namespace swage::data {
namespace {

using Kind = StreamFailure::Kind;

void check(CallSite site, const std::string& name, std::int64_t width, const StreamOptions& options) {
  constexpr std::int64_t kMost = std::int64_t{1} << 32U;  // numbers in a batch
  if (width < 1) raise<ValueError>(site, "[DataStream] {}: a record has at least one number, not {}", name, width);
  if (options.batch < 1 || options.batch > kMost / width)
    raise<ValueError>(site, "[DataStream] {}: a batch of {} records is not between 1 and {}", name, options.batch,
                      kMost / width);
}

std::int64_t capacity_of(std::int64_t width, const StreamOptions& options) {
  const auto bytes = static_cast<std::int64_t>(std::min<std::size_t>(options.ahead_bytes, std::size_t{1} << 40U));
  return std::max(2 * options.batch, bytes / (width * static_cast<std::int64_t>(sizeof(float))));
}

// What the thread of a stream does. It reads into one buffer, which holds at least two records.
void read_records(ByteSource& source, const std::string& name, RecordParser& parser, RecordQueue& queue, const Stopper& stop) {
  constexpr std::size_t kRead = std::size_t{1} << 16U;
  std::vector<char> buffer(std::max(kRead, 2 * parser.longest()));
  std::size_t first = 0, last = 0;  // what is there and not used up
  bool ended = false;
  for (;;) {
    const std::span<float> slot = queue.slot();
    if (slot.empty()) return;
    for (bool record = false; !record;) {
      const auto [used, found] = parser.next({buffer.data() + first, last - first}, ended, slot);
      first += used;
      record = found;
      if (parser.error()) {
        const bool cut_off = ended && used == 0 && source.is_connection();
        if (cut_off)
          return queue.fail({Kind::io, fmt::format("{}: the connection ended in the middle of {}", name, *parser.error()), {}});
        return queue.fail({Kind::value, fmt::format("{}, {}", name, *parser.error()), {}});
      }
      if (record || used > 0) continue;
      if (ended) return queue.finish();
      std::copy(buffer.begin() + static_cast<std::ptrdiff_t>(first), buffer.begin() + static_cast<std::ptrdiff_t>(last),
                buffer.begin());
      last -= std::exchange(first, 0);
      try {
        const std::size_t got = source.read(std::span(buffer).subspan(last), stop);
        last += got;
        ended = got == 0;
      } catch (const SourceError& error) {
        return queue.fail({Kind::io, fmt::format("{}, after {} records: {}", name, parser.records(), error.what()), {}});
      }
      if (ended && stop.stopped()) return;
    }
    queue.publish();
  }
}

}  // namespace

RecordFormat binary_records(std::int64_t width) { return {.form = RecordFormat::Form::binary, .width = width}; }

RecordFormat csv_records(std::int64_t width, char delimiter, std::int64_t header) {
  return {.form = RecordFormat::Form::lines, .width = width, .delimiter = delimiter, .header = header};
}

struct DataStream::Impl {
  Impl(std::string source_name, std::int64_t width, const StreamOptions& options)
      : name(std::move(source_name)),
        batch(options.batch),
        queue(width, capacity_of(width, options)),
        rows(static_cast<std::size_t>(batch * width)) {}
  ~Impl() {
    queue.close();
    stop.stop();
    if (reader.joinable()) {
      reader.request_stop();
      reader.join();
    }
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  static std::unique_ptr<Impl> of_bytes(CallSite site, const std::string& name, const RecordFormat& format,
                                        const StreamOptions& options, ByteSource (*open)(const std::string&, int),
                                        const std::string& what, int number);
  Tensor next(CallSite site);

  const std::string name;
  const std::int64_t batch;
  RecordQueue queue;
  std::vector<float> rows;
  Tensor current;
  std::int64_t records = 0;
  Stopper stop;
  std::jthread reader;
};

std::unique_ptr<DataStream::Impl> DataStream::Impl::of_bytes(CallSite site, const std::string& name, const RecordFormat& format,
                                                             const StreamOptions& options,
                                                             ByteSource (*open)(const std::string&, int),
                                                             const std::string& what, int number) {
  check(site, name, format.width, options);
  try {
    ByteSource source = open(what, number);
    auto impl = std::make_unique<Impl>(name, format.width, options);
    impl->reader = std::jthread([&impl = *impl, format, source = std::move(source)]() mutable {
      RecordParser parser(format);
      read_records(source, impl.name, parser, impl.queue, impl.stop);
    });
    return impl;
  } catch (const SourceError& error) {
    raise<IoError>(site, "[DataStream] {}: {}", name, error.what());
  }
}

Tensor DataStream::Impl::next(CallSite site) {
  const std::int64_t n = queue.take(rows.data(), batch);
  records += n;
  if (n > 0) return from_blob(rows.data(), {n, queue.width()}, DType::f32);
  if (const StreamFailure* const failure = queue.failure()) {
    if (failure->kind == Kind::thrown) std::rethrow_exception(failure->thrown);
    if (failure->kind == Kind::value) raise<ValueError>(site, "[DataStream] {}", failure->text);
    raise<IoError>(site, "[DataStream] {}", failure->text);
  }
  return {};
}

DataStream::DataStream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
DataStream::DataStream(DataStream&&) noexcept = default;
DataStream& DataStream::operator=(DataStream&&) noexcept = default;
DataStream::~DataStream() = default;

DataStream DataStream::file(const std::string& path, const RecordFormat& format, const StreamOptions& options) {
  return DataStream(Impl::of_bytes(
      caller(), path, format, options, [](const std::string& what, int) { return ByteSource::file(what); }, path, 0));
}

DataStream DataStream::command(const std::string& command, const RecordFormat& format, const StreamOptions& options) {
  return DataStream(Impl::of_bytes(
      caller(), fmt::format("`{}`", command), format, options,
      [](const std::string& what, int) { return ByteSource::command(what); }, command, 0));
}

DataStream DataStream::descriptor(int descriptor, const RecordFormat& format, const StreamOptions& options) {
  return DataStream(Impl::of_bytes(
      caller(), fmt::format("descriptor {}", descriptor), format, options,
      [](const std::string&, int number) { return ByteSource::descriptor(number); }, {}, descriptor));
}

DataStream DataStream::loopback(std::uint16_t port, const RecordFormat& format, const StreamOptions& options) {
  return DataStream(Impl::of_bytes(
      caller(), fmt::format("127.0.0.1:{}", port), format, options,
      [](const std::string&, int number) { return ByteSource::loopback(static_cast<std::uint16_t>(number)); }, {}, port));
}

DataStream DataStream::generator(std::int64_t width, RecordMaker maker, const StreamOptions& options) {
  const CallSite site = caller();
  const std::string name = "a generator";
  check(site, name, width, options);
  if (!maker) raise<ValueError>(site, "[DataStream] {} needs a function", name);
  auto impl = std::make_unique<Impl>(name, width, options);
  impl->reader = std::jthread([&queue = impl->queue, maker = std::move(maker)](const std::stop_token& stop) {
    try {
      for (;;) {
        const std::span<float> slot = queue.slot();
        if (slot.empty()) return;
        if (!maker(slot, stop)) return queue.finish();
        queue.publish();
      }
    } catch (...) {
      queue.fail({Kind::thrown, {}, std::current_exception()});
    }
  });
  return DataStream(std::move(impl));
}

Tensor DataStream::next() { return impl_->next(caller()); }

DataStream::Iterator DataStream::begin() {
  impl_->current = impl_->next(caller());
  return Iterator(this);
}

DataStream::Iterator& DataStream::Iterator::operator++() {
  DataStream::Impl& impl = *stream_->impl_;
  impl.current = impl.next(caller());
  return *this;
}

Tensor& DataStream::current() const { return impl_->current; }
std::int64_t DataStream::width() const { return impl_->queue.width(); }
std::int64_t DataStream::records() const { return impl_->records; }
std::int64_t DataStream::read_ahead() const { return impl_->queue.waiting(); }
std::int64_t DataStream::capacity() const { return impl_->queue.capacity(); }

}  // namespace swage::data
