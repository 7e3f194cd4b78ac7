// Bytes from a descriptor, by reads that another thread can end.
#pragma once

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <sys/types.h>

namespace swage::data {

// Closes what it holds.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(other.number_) { other.number_ = -1; }
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();
  int number() const { return number_; }
  explicit operator bool() const { return number_ >= 0; }

 private:
  int number_;
};

// Ends waits on other threads, for good.
class Stopper {
 public:
  Stopper();
  void stop();
  bool stopped() const;
  // Until `descriptor` is ready for `events` (as poll names them), or `milliseconds` are over (-1: never). False where it was stopped.
  bool wait(int descriptor, short events, int milliseconds = -1) const;

 private:
  Descriptor event_;
};

// The source cannot be read any further; what() has no name of the source in it.
class SourceError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class ByteSource {
 public:
  // Raise SourceError where nothing can be opened.
  static ByteSource file(const std::string& path);
  static ByteSource command(const std::string& command);
  static ByteSource loopback(std::uint16_t port);
  static ByteSource descriptor(int descriptor);

  ByteSource(ByteSource&& other) noexcept;
  ByteSource& operator=(ByteSource&&) = delete;
  ~ByteSource();  // a command that still runs is killed, and what it has started

  // Waits for some bytes and reads them. 0 at the end, and where `stop` says so. Raises SourceError, for a command that has failed too.
  std::size_t read(std::span<char> into, const Stopper& stop);
  bool is_connection() const { return connection_; }

 private:
  explicit ByteSource(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}
  void wait_for_child(const Stopper& stop);

  Descriptor descriptor_;
  bool connection_ = false;
  pid_t child_ = -1;
};

}  // namespace swage::data
