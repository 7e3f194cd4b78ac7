// NVIDIA's run-time compiler, loaded when it is first asked for: it is no dependency of the build, and needs no GPU.
#pragma once

#include <string>

namespace swage::jit::cuda {

// What NVRTC makes of a source, for sm_90.
struct DeviceCode {
  std::string ptx;    // text
  std::string cubin;  // machine code, an ELF file
  std::string log;    // warnings; empty if there are none
};

class Nvrtc {
 public:
  // The library at SWAGE_NVRTC if that is set, else the one that `tools/dev setup --with-nvrtc` leaves in nvrtc/ beside the
  // folder of the executable, else that of the toolkit. One a process, never unloaded. Throws CompileError that says where it
  // was looked for.
  static const Nvrtc& instance();

  // Floating point as everywhere in Swage: nothing is contracted, subnormals stay, division and square root round correctly.
  // Throws CompileError with NVRTC's log.
  DeviceCode compile(const std::string& source) const;

  const std::string& path() const { return path_; }
  std::string version() const;  // such as 13.0

 private:
  struct Functions;
  Nvrtc();
  std::string path_;
  const Functions* functions_;
};

}  // namespace swage::jit::cuda
