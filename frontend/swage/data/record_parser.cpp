#include <swage/data/record_parser.hpp>

#include <algorithm>
#include <charconv>
#include <cstring>

#include <fmt/format.h>

namespace swage::data {
namespace {

constexpr std::string_view kBlanks = " \t";

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

}  // namespace

std::size_t RecordParser::longest() const {
  const auto width = static_cast<std::size_t>(format_.width);
  constexpr std::size_t kNumber = 64, kLine = 4096;  // characters, of one number and of a line beside its numbers
  return format_.form == RecordFormat::Form::binary ? width * sizeof(float) : kLine + width * kNumber;
}

std::string RecordParser::place() const {
  if (format_.form == RecordFormat::Form::binary) return fmt::format("record {}", records_ + 1);
  return fmt::format("record {} (line {})", records_ + 1, lines_);
}

RecordParser::Step RecordParser::next(std::string_view bytes, bool ended, std::span<float> into) {
  const Step step = format_.form == RecordFormat::Form::binary ? next_binary(bytes, into) : next_line(bytes, ended, into);
  if (step.record) ++records_;
  if (step.bytes == 0 && ended && !bytes.empty() && !error_)
    error_ = fmt::format("{}: the stream ends within it, after {} of {} bytes", place(), bytes.size(), longest());
  return step;
}

RecordParser::Step RecordParser::next_binary(std::string_view bytes, std::span<float> into) {
  if (bytes.size() < into.size_bytes()) return {};
  std::memcpy(into.data(), bytes.data(), into.size_bytes());
  return {into.size_bytes(), true};
}

RecordParser::Step RecordParser::next_line(std::string_view bytes, bool ended, std::span<float> into) {
  const std::size_t end = bytes.find('\n');
  if (end == std::string_view::npos) {
    if (bytes.size() >= longest()) {
      ++lines_;
      error_ = fmt::format("{}: the line does not end within {} bytes", place(), longest());
    }
    if (error_ || !ended || bytes.empty()) return {};
  }
  const std::size_t used = end == std::string_view::npos ? bytes.size() : end + 1;
  std::string_view line = bytes.substr(0, std::min(end, bytes.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (++lines_ <= format_.header || trimmed(line).empty()) return {used, false};
  return {used, parse(line, into)};
}

bool RecordParser::parse(std::string_view line, std::span<float> into) {
  const auto columns = 1 + std::ranges::count(line, format_.delimiter);
  if (columns != format_.width) {
    error_ = fmt::format("{}: has {} columns, not {}", place(), columns, format_.width);
    return false;
  }
  for (std::size_t k = 0; k < into.size(); ++k) {
    const std::size_t end = std::min(line.find(format_.delimiter), line.size());
    const std::string_view text = trimmed(line.substr(0, end));
    const auto [next, code] = std::from_chars(text.data(), text.data() + text.size(), into[k]);
    if (code != std::errc() || next != text.data() + text.size()) {
      constexpr std::size_t kShown = 32;
      error_ = fmt::format("{}: column {} is '{}', {}", place(), k + 1, text.substr(0, kShown),
                           code == std::errc::result_out_of_range ? "which is out of f32's range" : "not a number");
      return false;
    }
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return true;
}

}  // namespace swage::data
