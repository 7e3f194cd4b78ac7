// Streams of records that arrive as the program runs: from a file, a pipe, a socket, a sensor. A stream is read like a data set:
//
//   auto readings = data::DataStream::command("sensor --raw", data::binary_records(33), {.batch = 8});
//   for (auto& batch : readings) learn(batch.narrow(1, 0, 32), batch.narrow(1, 32, 1));
//
// A record is a row of f32 numbers, a batch a fresh tensor (n,width) of n records in the order of their arrival; n is `batch` but for the last,
// which has what was left. A thread reads ahead, into a buffer of fixed size: where the program falls behind, it stops reading, and
// the pipe's or the socket's own flow control holds up who writes. A batch is given out as soon as all of its records are there. Nothing is
// lost, repeated or left out.
//
// What goes wrong is raised where the loop asks for the next batch, once all records before have been given out: ValueError names the source
// and the record that cannot be understood (half of one at the end of a file or pipe, too), IoError a source that cannot be read, a
// connection that was lost (in the middle of a record, too) and a command that failed. A stream may be destroyed at any time; it waits for
// nobody. It belongs to the thread that made it.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <span>
#include <stop_token>
#include <string>

#include <swage/tensor.hpp>

namespace swage::data {

// How records follow each other.
struct RecordFormat {
  enum class Form : std::uint8_t { binary, lines };
  Form form = Form::binary;
  std::int64_t width = 1;   // numbers in a record
  char delimiter = ',';     // between the numbers of a line
  std::int64_t header = 0;  // lines before the first record
};
// `width` little-endian f32 numbers, and nothing between records.
RecordFormat binary_records(std::int64_t width);
// A line a record, `width` decimal numbers in it. Blanks around a number do not count, nor do empty lines; the last line may lack its end.
RecordFormat csv_records(std::int64_t width, char delimiter = ',', std::int64_t header = 0);

struct StreamOptions {
  std::int64_t batch = 1;               // records in a batch
  std::size_t ahead_bytes = 1U << 20U;  // of records read ahead, at most; two batches at least
};

// Writes the next record and says whether there is one. Runs on the stream's thread, where exceptions pass from to the loop. One that may
// wait for long looks at the token now and then: the stream's destructor waits for it.
using RecordMaker = std::function<bool(std::span<float> record, const std::stop_token& stop)>;

class DataStream {
 public:
  // What is opened is opened now: IoError. ValueError for a width or a batch below 1.
  static DataStream file(const std::string& path, const RecordFormat& format,
                         const StreamOptions& options = {});  // or a named pipe
  static DataStream command(const std::string& command, const RecordFormat& format,
                            const StreamOptions& options = {});  // what it writes, run by sh; ended with the stream
  static DataStream descriptor(int descriptor, const RecordFormat& format,
                               const StreamOptions& options = {});  // the read end of a pipe, a socket: closed with the stream
  static DataStream loopback(std::uint16_t port, const RecordFormat& format,
                             const StreamOptions& options = {});  // a TCP connection to this machine
  static DataStream generator(std::int64_t width, RecordMaker maker, const StreamOptions& options = {});
  template <class F>
    requires std::predicate<F&, std::span<float>>
  static DataStream generator(std::int64_t width, F maker, const StreamOptions& options = {}) {
    return generator(width,
                     RecordMaker([maker](std::span<float> record, const std::stop_token&) mutable { return maker(record); }),
                     options);
  }

  DataStream(DataStream&&) noexcept;
  DataStream& operator=(DataStream&&) noexcept;
  ~DataStream();

  // The next batch; undefined at the end of the stream.
  Tensor next();

  class Iterator {
   public:
    using value_type = Tensor;
    using difference_type = std::ptrdiff_t;
    Tensor& operator*() const { return stream_->current(); }
    Iterator& operator++();
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const { return !stream_->current().defined(); }

   private:
    friend class DataStream;
    explicit Iterator(DataStream* stream) : stream_(stream) {}
    DataStream* stream_;
  };
  // Begins with the next batch: a second loop goes on behind what the first one has seen.
  Iterator begin();
  std::default_sentinel_t end() { return {}; }

  std::int64_t width() const;
  std::int64_t records() const;     // given out so far
  std::int64_t read_ahead() const;  // records that wait, at this moment
  std::int64_t capacity() const;    // the most that may

 private:
  struct Impl;
  explicit DataStream(std::unique_ptr<Impl> impl);
  Tensor& current() const;

  std::unique_ptr<Impl> impl_;
};

}  // namespace swage::data
