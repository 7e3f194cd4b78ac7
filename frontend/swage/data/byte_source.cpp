#include <swage/data/byte_source.hpp>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

extern char** environ;

namespace swage::data {
namespace {

[[noreturn]] void fail(const char* what, int code = errno) {
  std::array<char, 128> text{};
  throw SourceError(fmt::format("{}: {}", what, strerror_r(code, text.data(), text.size())));
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  std::swap(number_, other.number_);
  return *this;
}

Descriptor::~Descriptor() {
  if (number_ >= 0) close(number_);
}

Stopper::Stopper() : event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!event_) fail("no event can be made");
}

void Stopper::stop() {
  const std::uint64_t one = 1;
  (void)!write(event_.number(), &one, sizeof one);
}

bool Stopper::stopped() const {
  pollfd event{event_.number(), POLLIN, 0};
  return poll(&event, 1, 0) > 0;
}

bool Stopper::wait(int descriptor, short events, int milliseconds) const {
  pollfd both[] = {{event_.number(), POLLIN, 0}, {descriptor, events, 0}};
  while (poll(both, 2, milliseconds) < 0)
    if (errno != EINTR) fail("it cannot be waited for");
  return both[0].revents == 0;
}

ByteSource::ByteSource(ByteSource&& other) noexcept
    : descriptor_(std::move(other.descriptor_)), connection_(other.connection_), child_(std::exchange(other.child_, -1)) {}

ByteSource::~ByteSource() {
  if (child_ < 0) return;
  kill(-child_, SIGKILL);  // the group that it leads
  while (waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

// A named pipe may be opened before anybody writes to it: reading waits for that.
ByteSource ByteSource::file(const std::string& path) {
  ByteSource source(Descriptor(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)));
  if (!source.descriptor_) fail("cannot be opened");
  struct stat found{};
  if (fstat(source.descriptor_.number(), &found) != 0) fail("cannot be looked at");
  if (S_ISDIR(found.st_mode)) fail("cannot be read", EISDIR);
  return source;
}

ByteSource ByteSource::command(const std::string& command) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) fail("no pipe can be made");
  const Descriptor write_end(ends[1]);
  ByteSource source{Descriptor(ends[0])};
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&actions, write_end.number(), STDOUT_FILENO);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);  // a group of its own, to be ended as a whole
  std::array<std::string, 3> words = {"sh", "-c", command};
  std::array<char*, 4> arguments = {words[0].data(), words[1].data(), words[2].data(), nullptr};
  pid_t child = -1;
  const int code = posix_spawn(&child, "/bin/sh", &actions, &attributes, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (code != 0) fail("cannot be run", code);
  source.child_ = child;
  return source;
}

ByteSource ByteSource::loopback(std::uint16_t port) {
  ByteSource source{Descriptor(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))};
  if (!source.descriptor_) fail("no socket can be made");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(source.descriptor_.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    fail("nobody answers");
  source.connection_ = true;
  return source;
}

ByteSource ByteSource::descriptor(int descriptor) {
  ByteSource source{Descriptor(descriptor)};
  struct stat found{};
  if (fstat(descriptor, &found) != 0) fail("cannot be read");
  source.connection_ = S_ISSOCK(found.st_mode);
  return source;
}

std::size_t ByteSource::read(std::span<char> into, const Stopper& stop) {
  for (;;) {
    if (!stop.wait(descriptor_.number(), POLLIN)) return 0;
    const ssize_t got = ::read(descriptor_.number(), into.data(), into.size());
    if (got > 0) return static_cast<std::size_t>(got);
    if (got == 0) {
      if (child_ >= 0) wait_for_child(stop);
      return 0;
    }
    if (errno != EINTR && errno != EAGAIN) fail(connection_ ? "the connection is lost" : "cannot be read");
  }
}

// It may close what it writes to and go on.
void ByteSource::wait_for_child(const Stopper& stop) {
  constexpr int kMilliseconds = 5;
  int status = 0;
  for (;;) {
    const pid_t ended = waitpid(child_, &status, WNOHANG);
    if (ended == child_) break;
    if (ended < 0 && errno != EINTR) return;
    if (!stop.wait(-1, 0, kMilliseconds)) return;
  }
  child_ = -1;
  if (WIFSIGNALED(status)) throw SourceError(fmt::format("the command was ended by signal {}", WTERMSIG(status)));
  if (WEXITSTATUS(status) != 0) throw SourceError(fmt::format("the command failed with status {}", WEXITSTATUS(status)));
}

}  // namespace swage::data
