#include <swage/data/record_queue.hpp>

#include <algorithm>

namespace swage::data {

RecordQueue::RecordQueue(std::int64_t width, std::int64_t capacity)
    : width_(width), capacity_(capacity), rows_(std::make_unique<float[]>(static_cast<std::size_t>(width * capacity))) {}

std::span<float> RecordQueue::slot() {
  if (stored() == capacity_) {
    std::unique_lock lock(mutex_);
    full_ = true;
    // Half of it at once, so that a full queue does not wake this thread for every record.
    room_.wait(lock, [&] { return closed_ || stored() <= capacity_ / 2; });
    full_ = false;
  }
  if (closed_) return {};
  return {row(written_), static_cast<std::size_t>(width_)};
}

void RecordQueue::publish() {
  ++written_;
  const std::int64_t wanted = wanted_;
  if (wanted == 0 || stored() < wanted) return;
  const std::lock_guard lock(mutex_);
  filled_.notify_one();
}

void RecordQueue::finish() {
  const std::lock_guard lock(mutex_);
  finished_ = true;
  filled_.notify_one();
}

void RecordQueue::fail(StreamFailure failure) {
  const std::lock_guard lock(mutex_);
  failure_ = std::make_unique<StreamFailure>(std::move(failure));
  finished_ = true;
  filled_.notify_one();
}

std::int64_t RecordQueue::take(float* rows, std::int64_t n) {
  if (stored() < n) {
    std::unique_lock lock(mutex_);
    wanted_ = n;
    filled_.wait(lock, [&] { return finished_ || stored() >= n; });
    wanted_ = 0;
  }
  const std::int64_t got = std::min(n, stored()), first = taken_;
  for (std::int64_t i = 0; i < got;) {
    const std::int64_t together = std::min(got - i, capacity_ - (first + i) % capacity_);
    std::copy_n(row(first + i), together * width_, rows + i * width_);
    i += together;
  }
  taken_ = first + got;
  if (full_ && stored() <= capacity_ / 2) {
    const std::lock_guard lock(mutex_);
    room_.notify_one();
  }
  return got;
}

void RecordQueue::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  room_.notify_one();
}

std::int64_t RecordQueue::waiting() const { return stored(); }

}  // namespace swage::data
