// Reads a log as the commands of `swage trace` do.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_set>

#include <test/log_fuzz/mutate.hpp>

namespace swage::log_fuzz {

struct Walked {
  std::uint64_t read = 0;      // logs that were read, the others were refused
  std::uint64_t damaged = 0;   // of those, with damage that was named
  std::uint64_t outlines = 0;  // traces that the compiler's front half was given
  std::uint64_t commands = 0;
  Walked& operator+=(const Walked& other);
};

class Walker {
 public:
  // `folder`: for the log that a command is given. `says`: told what is done next.
  Walker(std::filesystem::path folder, std::function<void(const std::string&)> says)
      : folder_(std::move(folder)), says_(std::move(says)) {}

  // Reads it, explains its events, plans its traces; now and then gives it to a command. Whatever escapes but the errors that the command line
  // reports is a finding.
  Walked walk(std::string_view bytes, Random& random);
  // Every command, with every kind of output.
  Walked walk_all(std::string_view bytes);

 private:
  void read_all(std::string_view bytes, Walked& walked);
  void command(std::string_view bytes, const std::string& name, Random& random);

  std::filesystem::path folder_;
  std::function<void(const std::string&)> says_;
  std::unordered_set<std::uint64_t> planned_;  // traces that were given to the compiler before
};

}  // namespace swage::log_fuzz
