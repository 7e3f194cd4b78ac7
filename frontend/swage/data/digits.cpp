#include <swage/data/digits.hpp>

#include <charconv>
#include <memory>
#include <vector>
#include <zlib.h>

#include <runtime/core/error.hpp>
#include <swage/creation.hpp>

namespace swage::data {

namespace {

constexpr int kPixels = 64;
constexpr double kBlack = 16;

std::string read_all(const std::string& path, CallSite site) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
  if (!file) raise<IoError>(site, "[load_digits] {} cannot be opened", path);
  std::string text;
  char chunk[1 << 16];
  int got;
  while ((got = gzread(file.get(), chunk, sizeof chunk)) > 0) text.append(chunk, static_cast<std::size_t>(got));
  int code = Z_OK;
  const char* message = gzerror(file.get(), &code);
  if (got < 0 || (code != Z_OK && code != Z_STREAM_END)) raise<IoError>(site, "[load_digits] {} is damaged: {}", path, message);
  return text;
}

}  // namespace

Digits load_digits(const std::string& path) {
  const SiteScope scope(caller());
  const CallSite site = SiteScope::or_else({});
  const std::string text = read_all(path, site);
  std::vector<float> pixels;
  std::vector<std::int64_t> labels;
  const char *at = text.data(), *const end = at + text.size();
  for (int line = 1; at < end; ++line) {
    for (int column = 0; column <= kPixels; ++column) {
      double number = 0;
      const auto [next, error] = std::from_chars(at, end, number);
      const bool last = column == kPixels;
      if (error != std::errc() || number < 0 || number > (last ? 9 : kBlack))
        raise<IoError>(site, "[load_digits] {}:{}: column {} must be a number from 0 to {}", path, line, column + 1,
                       last ? 9 : kBlack);
      at = next;
      const bool separated = last ? at == end || *at == '\n' || *at == '\r' : at < end && *at == ',';
      if (!separated) raise<IoError>(site, "[load_digits] {}:{}: needs {} columns", path, line, kPixels + 1);
      if (last)
        labels.push_back(static_cast<std::int64_t>(number));
      else
        pixels.push_back(static_cast<float>(number / kBlack));
      if (at < end && *at == ',') ++at;
    }
    while (at < end && (*at == '\n' || *at == '\r')) ++at;
  }
  if (labels.empty()) raise<IoError>(site, "[load_digits] {} holds no images", path);
  const auto n = static_cast<std::int64_t>(labels.size());
  return {tensor(pixels, {n, 1, 8, 8}), tensor(labels, {n})};
}

}  // namespace swage::data
