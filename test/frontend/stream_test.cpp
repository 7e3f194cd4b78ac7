// Streams of records: every source, and what may go wrong with each. Nothing is lost or repeated, and nothing hangs: a test that would, fails
// by the suite's limit.
#include <atomic>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <swage/swage.hpp>
#include <test/frontend/tiers.hpp>

namespace swage::test {
namespace {

using data::binary_records;
using data::csv_records;
using data::DataStream;
using data::LoopbackServer;
using testing::HasSubstr;
using namespace std::chrono_literals;

// Of width 2: record i is (i, i / 2).
DataStream counting(std::int64_t records, data::StreamOptions options = {}) {
  return DataStream::generator(
      2,
      [i = std::int64_t{0}, records](std::span<float> record) mutable {
        record[0] = static_cast<float>(i);
        record[1] = static_cast<float>(i) / 2;
        return i++ < records;
      },
      options);
}

std::vector<float> bytes_of(std::int64_t first, std::int64_t records) {
  std::vector<float> numbers;
  for (std::int64_t i = first; i < first + records; ++i) {
    numbers.push_back(static_cast<float>(i));
    numbers.push_back(static_cast<float>(i) / 2);
  }
  return numbers;
}

// Reads to the end: records 0, 1, 2 … of the kind above, in batches of `batch`. Gives their number.
std::int64_t expect_counting(DataStream& stream, std::int64_t batch, std::chrono::microseconds pause = {}) {
  std::int64_t seen = 0;
  bool last = false;
  for (auto& rows : stream) {
    EXPECT_FALSE(last) << "only the last batch is short";
    last = rows.size(0) != batch;
    EXPECT_EQ(rows.to_vector<float>(), bytes_of(seen, rows.size(0)));
    seen += rows.size(0);
    EXPECT_LE(stream.read_ahead(), stream.capacity());
    std::this_thread::sleep_for(pause);
  }
  EXPECT_EQ(stream.records(), seen);
  return seen;
}

// Reads to the error, whose text is given; `good` records come before.
template <class E>
std::string error_after(DataStream& stream, std::int64_t good) {
  std::int64_t seen = 0;
  try {
    for (auto& rows : stream) {
      EXPECT_EQ(rows.to_vector<float>(), bytes_of(seen, rows.size(0)));
      seen += rows.size(0);
    }
  } catch (const E& error) {
    EXPECT_EQ(seen, good);
    EXPECT_THROW(stream.next(), E) << "once more";
    return error.what();
  }
  ADD_FAILURE() << "no such error";
  return {};
}

class Streams : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directory(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string file(const std::string& text) const {
    const std::string path = (folder_ / "records").string();
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  std::filesystem::path folder_ = std::filesystem::temp_directory_path() / ("swage-stream-" + std::to_string(getpid()));
};

std::string raw(const std::vector<float>& numbers) {
  return {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(float)};
}

TEST_F(Streams, AGeneratorIsReadInBatches) {
  for (const std::int64_t batch : {1, 3, 64}) {
    for (const std::int64_t records : {0, 1, 63, 64, 65, 5000}) {
      DataStream stream = counting(records, {.batch = batch, .ahead_bytes = 1000});
      EXPECT_EQ(expect_counting(stream, batch), records) << batch;
      EXPECT_FALSE(stream.next().defined()) << "the end stays the end";
    }
  }
}

TEST_F(Streams, ASecondLoopGoesOnBehindTheFirst) {
  DataStream stream = counting(10);
  float expected = 0;
  for (auto& rows : stream) {
    EXPECT_EQ(rows.to_vector<float>()[0], expected++);
    if (expected == 4) break;
  }
  for (auto& rows : stream) EXPECT_EQ(rows.to_vector<float>()[0], expected++);
  EXPECT_EQ(expected, 10);
}

TEST_F(Streams, AreTheSameInAllTiers) {
  expect_same(
      [](Notes& notes) {
        const Tensor w = full({2, 1}, 0.01);
        for (auto& rows : counting(40, {.batch = 4})) {
          w.add_(mean(matmul(rows, w)) * 1e-4);
          swage::step();
          notes(w);
        }
      },
      5);
}

TEST_F(Streams, AFastProducerIsHeldUp) {
  std::atomic<std::int64_t> made{0};
  DataStream stream = DataStream::generator(2,
                                            [&](std::span<float> record) {
                                              const auto i = static_cast<float>(made++);
                                              record[0] = i;
                                              record[1] = i / 2;
                                              return i < 3000;
                                            },
                                            {.batch = 2, .ahead_bytes = 400});
  ASSERT_EQ(stream.capacity(), 50);
  while (made < stream.capacity()) std::this_thread::yield();
  std::this_thread::sleep_for(20ms);
  EXPECT_LE(made, stream.capacity()) << "nobody has read yet";
  EXPECT_EQ(stream.read_ahead(), stream.capacity());
  EXPECT_EQ(expect_counting(stream, 2, 10us), 3000);
}

TEST_F(Streams, RecordsOfASlowProducerComeAtOnce) {
  std::atomic<int> wanted{0};
  DataStream stream = DataStream::generator(1, [&, i = 0](std::span<float> record) mutable {
    while (wanted <= i) std::this_thread::yield();  // the next is made once the one before was seen
    record[0] = static_cast<float>(i);
    return i++ < 20;
  });
  wanted = 1;
  for (auto& rows : stream) {
    EXPECT_EQ(rows.item<int>(), wanted - 1);
    ++wanted;
  }
  EXPECT_EQ(wanted, 21);
}

TEST_F(Streams, WhatAGeneratorThrowsComesAfterItsRecords) {
  DataStream stream = DataStream::generator(2,
                                            [i = 0](std::span<float> record) mutable {
                                              if (i == 7) throw std::out_of_range("no more");
                                              record[0] = static_cast<float>(i);
                                              record[1] = static_cast<float>(i++) / 2;
                                              return true;
                                            },
                                            {.batch = 4});
  EXPECT_EQ(error_after<std::out_of_range>(stream, 7), "no more");
}

TEST_F(Streams, MayEndAtAnyTime) {
  {
    DataStream unread = counting(1'000'000'000);
  }
  {
    DataStream full = counting(1'000'000'000, {.ahead_bytes = 64});
    full.next();
  }
  {  // one that waits for long looks at its token
    DataStream waiting = DataStream::generator(1, [](std::span<float>, const std::stop_token& stop) {
      while (!stop.stop_requested()) std::this_thread::sleep_for(1ms);
      return false;
    });
  }
  {
    DataStream silent = DataStream::command("sleep 1000", csv_records(1));
  }
  {  // it has closed what it writes to, and goes on
    DataStream closed = DataStream::command("exec >&-; sleep 1000", csv_records(1));
    std::this_thread::sleep_for(20ms);
  }
  {
    LoopbackServer server;  // accepts, and says nothing
    DataStream connected = DataStream::loopback(server.port(), csv_records(1));
  }
  {
    const std::string path = (folder_ / "fifo").string();
    ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
    DataStream nobody_writes = DataStream::file(path, csv_records(1));
  }
  DataStream moved = counting(1'000'000'000, {.ahead_bytes = 64});
  moved = counting(3);
  EXPECT_EQ(expect_counting(moved, 1), 3);
}

TEST_F(Streams, AFileOfLines) {
  DataStream stream = DataStream::file(file("a;b\n0;0\r\n 1 ; .5\n\n2;1e0\n3;1.5"), csv_records(2, ';', 1), {.batch = 3});
  EXPECT_EQ(expect_counting(stream, 3), 4);
}

TEST_F(Streams, ALineThatDoesNotParseIsNamed) {
  const std::string good = "0,0\n1,0.5\n";
  const auto error = [&](const std::string& line) {
    DataStream stream = DataStream::file(file(good + line + "\n2,1\n"), csv_records(2));
    return error_after<ValueError>(stream, 2);
  };
  EXPECT_THAT(error("2,one"), HasSubstr("records, record 3 (line 3): column 2 is 'one', not a number"));
  EXPECT_THAT(error("2,one"), HasSubstr("stream_test.cpp:"));
  EXPECT_THAT(error("2,1x"), HasSubstr("column 2 is '1x', not a number"));
  EXPECT_THAT(error(",1"), HasSubstr("column 1 is '', not a number"));
  EXPECT_THAT(error("\n2"), HasSubstr("record 3 (line 4): has 1 columns, not 2"));
  EXPECT_THAT(error("2,1,"), HasSubstr("has 3 columns, not 2"));
  EXPECT_THAT(error("2,1e99"), HasSubstr("column 2 is '1e99', which is out of f32's range"));
  EXPECT_THAT(error(std::string(100'000, '2')), HasSubstr("record 3 (line 3): the line does not end within"));
}

TEST_F(Streams, AFileOfNumbers) {
  const std::string all = raw(bytes_of(0, 30'000));
  DataStream stream = DataStream::file(file(all), binary_records(2), {.batch = 7, .ahead_bytes = 4096});
  EXPECT_EQ(expect_counting(stream, 7), 30'000);
  DataStream half = DataStream::file(file(all.substr(0, all.size() - 3)), binary_records(2));
  EXPECT_THAT(error_after<ValueError>(half, 29'999), HasSubstr("record 30000: the stream ends within it, after 5 of 8 bytes"));
  DataStream none = DataStream::file(file(""), binary_records(2));
  EXPECT_FALSE(none.next().defined());
}

TEST_F(Streams, WhatACommandWrites) {
  DataStream stream = DataStream::command("for i in 0 1 2 3 4; do echo $i,0; sleep 0.01; done", csv_records(2));
  float expected = 0;
  for (auto& rows : stream) EXPECT_EQ(rows.to_vector<float>()[0], expected++);
  EXPECT_EQ(expected, 5);
  DataStream failing = DataStream::command("echo 0,0; echo 1,.5; exit 3", csv_records(2));
  EXPECT_THAT(error_after<IoError>(failing, 2), HasSubstr("after 2 records: the command failed with status 3"));
  DataStream killed = DataStream::command("echo 0,0; kill -9 $$", csv_records(2));
  EXPECT_THAT(error_after<IoError>(killed, 1), HasSubstr("the command was ended by signal 9"));
}

TEST_F(Streams, APipeIsClosedWithItsStream) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  {
    DataStream stream = DataStream::descriptor(ends[0], binary_records(2));
    const std::string some = raw(bytes_of(0, 100));
    std::thread writer([&] {
      for (std::size_t i = 0; i < some.size(); i += 5) {  // records come in pieces
        EXPECT_EQ(write(ends[1], some.data() + i, std::min<std::size_t>(5, some.size() - i)),
                  static_cast<ssize_t>(std::min<std::size_t>(5, some.size() - i)));
        std::this_thread::sleep_for(20us);
      }
      close(ends[1]);
    });
    EXPECT_EQ(expect_counting(stream, 1), 100);
    writer.join();
  }
  EXPECT_EQ(fcntl(ends[0], F_GETFD), -1);
}

TEST_F(Streams, ANamedPipeMayBeOpenedBeforeItsWriter) {
  const std::string path = (folder_ / "fifo").string();
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  DataStream stream = DataStream::file(path, binary_records(2));
  std::thread writer([&] {
    std::this_thread::sleep_for(10ms);
    std::ofstream(path, std::ios::binary) << raw(bytes_of(0, 50));
  });
  EXPECT_EQ(expect_counting(stream, 1), 50);
  writer.join();
}

TEST_F(Streams, ASlowReaderHoldsUpASocketsWriter) {
  LoopbackServer server;
  std::atomic<std::int64_t> sent{0};
  constexpr std::int64_t kRecords = 2'000'000, kTogether = 1000;
  std::thread serving([&] {
    ASSERT_TRUE(server.accept());
    while (sent < kRecords && server.send(bytes_of(sent, kTogether))) sent += kTogether;
    server.close();
  });
  DataStream stream = DataStream::loopback(server.port(), binary_records(2), {.batch = 1000, .ahead_bytes = 1 << 14});
  std::this_thread::sleep_for(50ms);
  EXPECT_LT(sent, kRecords) << "what the sockets hold themselves is much less";
  EXPECT_EQ(expect_counting(stream, 1000), kRecords);
  serving.join();
}

TEST_F(Streams, ALostConnectionIsAnError) {
  const auto error_with = [](std::int64_t good, const std::function<void(LoopbackServer&)>& serve) {
    LoopbackServer server;
    DataStream stream = DataStream::loopback(server.port(), binary_records(2));
    EXPECT_TRUE(server.accept());
    serve(server);
    return error_after<IoError>(stream, good);
  };
  EXPECT_THAT(error_with(3,
                         [](LoopbackServer& server) {
                           server.send(bytes_of(0, 3));
                           server.send_bytes("half");
                           server.close();
                         }),
              HasSubstr("the connection ended in the middle of record 4"));
  EXPECT_THAT(error_with(0, [](LoopbackServer& server) { server.reset(); }), HasSubstr("the connection is lost"));
  std::uint16_t port = 0;
  {
    const LoopbackServer gone;
    port = gone.port();
  }
  EXPECT_THROW(DataStream::loopback(port, binary_records(2)), IoError);
}

TEST_F(Streams, WhatCannotBeOpenedIsAnErrorAtOnce) {
  try {
    DataStream::file("/nowhere/at/all", csv_records(1));
    FAIL() << "nothing was raised";
  } catch (const IoError& error) {
    EXPECT_THAT(error.what(), HasSubstr("/nowhere/at/all: cannot be opened: No such file"));
    EXPECT_THAT(error.what(), HasSubstr("stream_test.cpp:"));
  }
  EXPECT_THROW(DataStream::file("/", csv_records(1)), IoError);
  EXPECT_THROW(DataStream::descriptor(-1, csv_records(1)), IoError);
  EXPECT_THROW(DataStream::file("/dev/null", csv_records(0)), ValueError);
  EXPECT_THROW(DataStream::file("/dev/null", binary_records(1), {.batch = 0}), ValueError);
  EXPECT_THROW(DataStream::generator(1, data::RecordMaker()), ValueError);
  DataStream no_command = DataStream::command("no-such-command-anywhere 2>/dev/null", csv_records(2));
  EXPECT_THAT(error_after<IoError>(no_command, 0), HasSubstr("status 127"));
}

}  // namespace
}  // namespace swage::test
