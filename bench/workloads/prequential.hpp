// Prequential error: each sample tests a model before the model learns from it (Dawid, "Statistical theory: the prequential approach", JRSS A
// 147, 1984). Compared before and after each drift of a stream that drifts every so many samples.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace swage::bench {

class Prequential {
 public:
  Prequential(std::int64_t drift, std::int64_t first_sample) : drift_(drift), quarter_(drift / 4), sample_(first_sample) {}

  void add(bool wrong);

  // Of the stretches from one drift to the next that were seen whole, with the one before. Under `name`: the mean error in the quarter before
  // drifts, in the first quarter after them and in the last one; the greatest ratio of the latter to what was before that drift; the most
  // samples until the error of the latest 4,000 was at most a tenth above it. None without such a stretch.
  void add_figures(const std::string& name, std::map<std::string, double>& figures) const;

 private:
  static constexpr std::int64_t kRecent = 4000;
  static constexpr double kBack = 1.1;
  struct Stretch {
    std::int64_t first = 0, last = 0;  // errors in the first quarter and in the last
    std::int64_t back_after = 0;       // samples; 0: not yet
    std::int64_t samples = 0;
  };
  double rate(std::int64_t errors) const { return static_cast<double>(errors) / static_cast<double>(quarter_); }

  std::int64_t drift_, quarter_, sample_;
  std::vector<Stretch> stretches_;
  std::vector<bool> recent_ = std::vector<bool>(kRecent);  // by sample, modulo its size
  std::int64_t recent_errors_ = 0;
};

}  // namespace swage::bench
