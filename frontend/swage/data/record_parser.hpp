// From bytes, as they come, to records.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <swage/data/stream.hpp>

namespace swage::data {

class RecordParser {
 public:
  explicit RecordParser(const RecordFormat& format) : format_(format) {}

  struct Step {
    std::size_t bytes = 0;  // used up; 0: more are needed
    bool record = false;    // whether `into` was filled
  };
  // One step from the beginning of `bytes`. `ended`: no more bytes follow these. A record that cannot be understood leaves its `error`.
  Step next(std::string_view bytes, bool ended, std::span<float> into);

  // What is wrong with the record that came last, beginning with its number: "record 3: …".
  const std::optional<std::string>& error() const { return error_; }
  std::int64_t records() const { return records_; }
  // The longest that one may be, in bytes.
  std::size_t longest() const;

 private:
  Step next_binary(std::string_view bytes, std::span<float> into);
  Step next_line(std::string_view bytes, bool ended, std::span<float> into);
  bool parse(std::string_view line, std::span<float> into);
  std::string place() const;  // of the record that is being read

  RecordFormat format_;
  std::int64_t records_ = 0, lines_ = 0;
  std::optional<std::string> error_;
};

}  // namespace swage::data
