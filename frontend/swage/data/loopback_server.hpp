// The other end of DataStream::loopback: serves one client of this machine at a time.
#pragma once

#include <cstdint>
#include <span>

#include <swage/data/byte_source.hpp>

namespace swage::data {

class LoopbackServer {
 public:
  LoopbackServer();  // listens on a free port of 127.0.0.1; raises IoError
  std::uint16_t port() const { return port_; }

  bool accept();                      // waits for a client; false once `stop` was called
  bool send(std::span<const float>);  // waits until all is on its way; false where the client has gone, or `stop` was called
  bool send_bytes(std::span<const char> bytes);
  void close();  // the client gets to the end
  void reset();  // the client loses its connection
  void stop();   // from any thread, for good

 private:
  Descriptor listener_, client_;
  Stopper stopper_;
  std::uint16_t port_ = 0;
};

}  // namespace swage::data
