// Records between the thread that reads them and the one that uses them: a ring of rows, of fixed size. Neither thread takes a lock unless one of
// them waits: a lock that both want costs tens of microseconds, several steps of a small model.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <span>
#include <string>

namespace swage::data {

// Why there are no more records.
struct StreamFailure {
  enum class Kind : std::uint8_t { value, io, thrown };
  Kind kind = Kind::io;
  std::string text;           // value, io: the message
  std::exception_ptr thrown;  // by a generator
};

class RecordQueue {
 public:
  RecordQueue(std::int64_t width, std::int64_t capacity);  // capacity: twice as many as are ever asked for, or more

  // The reading thread. A row to be filled, once there is room, then `publish`; empty where the queue was closed.
  std::span<float> slot();
  void publish();
  void finish();  // no more come
  void fail(StreamFailure failure);

  // The using thread. Waits for `n` records, or for fewer at the end, and copies them to `rows`; gives their number.
  std::int64_t take(float* rows, std::int64_t n);
  // Once `take` gave none: null at a good end.
  const StreamFailure* failure() const { return failure_.get(); }
  void close();  // the reading thread gets no more room

  std::int64_t width() const { return width_; }
  std::int64_t capacity() const { return capacity_; }
  std::int64_t waiting() const;

 private:
  float* row(std::int64_t i) const { return rows_.get() + (i % capacity_) * width_; }

  std::int64_t stored() const { return written_ - taken_; }

  const std::int64_t width_, capacity_;
  const std::unique_ptr<float[]> rows_;
  // Each is written by one thread. Sequentially consistent: who finds nothing to do says so before it looks again, and who has done something
  // looks afterwards whether somebody has said so.
  std::atomic<std::int64_t> written_{0}, taken_{0};
  std::atomic<std::int64_t> wanted_{0};  // how many the using thread waits for; 0 where it does not
  std::atomic<bool> full_{false};        // the reading thread waits
  std::atomic<bool> closed_{false};
  std::mutex mutex_;  // of all that follow
  std::condition_variable room_, filled_;
  bool finished_ = false;
  std::unique_ptr<StreamFailure> failure_;
};

}  // namespace swage::data
