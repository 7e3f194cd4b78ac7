#include <swage/data/loopback_server.hpp>

#include <cerrno>
#include <poll.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <runtime/core/error.hpp>

namespace swage::data {

LoopbackServer::LoopbackServer() : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  if (!listener_ || bind(listener_.number(), any, size) != 0 || listen(listener_.number(), 1) != 0 ||
      getsockname(listener_.number(), any, &size) != 0)
    raise<IoError>(caller(), "[LoopbackServer] no port of 127.0.0.1 can be listened on");
  port_ = ntohs(address.sin_port);
}

bool LoopbackServer::accept() {
  for (;;) {
    if (!stopper_.wait(listener_.number(), POLLIN)) return false;
    client_ = Descriptor(accept4(listener_.number(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (client_) return true;
  }
}

bool LoopbackServer::send(std::span<const float> numbers) {
  return send_bytes({reinterpret_cast<const char*>(numbers.data()), numbers.size_bytes()});
}

bool LoopbackServer::send_bytes(std::span<const char> bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(client_.number(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0)
      bytes = bytes.subspan(static_cast<std::size_t>(sent));
    else if (errno != EAGAIN && errno != EINTR)
      return false;
    else if (!stopper_.wait(client_.number(), POLLOUT))
      return false;
  }
  return true;
}

void LoopbackServer::close() { client_ = Descriptor(); }

void LoopbackServer::reset() {
  const linger at_once{1, 0};  // closing then discards what was not sent, and says so
  setsockopt(client_.number(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close();
}

void LoopbackServer::stop() { stopper_.stop(); }

}  // namespace swage::data
