// A log taken apart and put together, sums made right on the way: what is changed in between is read as if it had been written so.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <runtime/log/format.hpp>

namespace swage::log_fuzz {

struct Blob {
  runlog::BlobKind kind = runlog::BlobKind::remark;
  std::string content;
};

struct Log {
  std::string header;                                // kHeaderBytes of it
  std::vector<runlog::LoggedEvent> decisions, hits;  // without empty slots
  std::vector<Blob> blobs;

  runlog::Constants constants() const;
};

Log take_apart(std::string_view bytes);
// Rings of exactly the events there are; every checksum is right.
std::string put_together(const Log& log);
// The header's constants as they are, with their checksum made right.
void seal_header(std::string& bytes);

}  // namespace swage::log_fuzz
