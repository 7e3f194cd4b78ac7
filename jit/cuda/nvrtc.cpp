#include <jit/cuda/nvrtc.hpp>

#include <array>
#include <cstdlib>
#include <dlfcn.h>
#include <filesystem>
#include <vector>

#include <fmt/format.h>

#include <runtime/core/error.hpp>

namespace swage::jit::cuda {
namespace {

namespace fs = std::filesystem;

using Program = struct ProgramHandle*;
using Status = int;

constexpr std::array<const char*, 6> kOptions = {"--gpu-architecture=sm_90", "--std=c++17",     "--fmad=false", "--ftz=false",
                                                 "--prec-div=true",          "--prec-sqrt=true"};

// Files in `folder` whose name begins so.
std::vector<std::string> files_in(const fs::path& folder, std::string_view prefix) {
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (entry.path().filename().string().starts_with(prefix)) found.push_back(entry.path().string());
  return found;
}

std::vector<std::string> candidates() {
  if (const char* wanted = std::getenv("SWAGE_NVRTC"); wanted && *wanted) return {wanted};
  std::vector<std::string> paths;
  std::error_code error;
  const fs::path wheels = fs::read_symlink("/proc/self/exe", error).parent_path().parent_path() / "nvrtc" / "nvidia";
  for (const std::string& wheel : files_in(wheels, ""))
    for (const std::string& file : files_in(fs::path(wheel) / "lib", "libnvrtc.so.")) paths.push_back(file);
  for (const char* name : {"libnvrtc.so.13", "libnvrtc.so.12", "/usr/local/cuda/lib64/libnvrtc.so"}) paths.emplace_back(name);
  return paths;
}

// A library of a wheel does not find its other half by itself.
void load_builtins_beside(const fs::path& library) {
  if (!library.has_parent_path()) return;
  for (const std::string& file : files_in(library.parent_path(), "libnvrtc-builtins.so")) dlopen(file.c_str(), RTLD_NOW);
}

}  // namespace

struct Nvrtc::Functions {
  const char* (*error)(Status);
  Status (*version)(int*, int*);
  Status (*create)(Program*, const char*, const char*, int, const char* const*, const char* const*);
  Status (*destroy)(Program*);
  Status (*compile)(Program, int, const char* const*);
  Status (*log_size)(Program, std::size_t*);
  Status (*log)(Program, char*);
  Status (*ptx_size)(Program, std::size_t*);
  Status (*ptx)(Program, char*);
  Status (*cubin_size)(Program, std::size_t*);
  Status (*cubin)(Program, char*);

  // Whether the library has them all.
  bool find(void* library) {
    const auto one = [&](auto& function, const char* name) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
      return function != nullptr;
    };
    return one(error, "nvrtcGetErrorString") && one(version, "nvrtcVersion") && one(create, "nvrtcCreateProgram") &&
           one(destroy, "nvrtcDestroyProgram") && one(compile, "nvrtcCompileProgram") &&
           one(log_size, "nvrtcGetProgramLogSize") && one(log, "nvrtcGetProgramLog") && one(ptx_size, "nvrtcGetPTXSize") &&
           one(ptx, "nvrtcGetPTX") && one(cubin_size, "nvrtcGetCUBINSize") && one(cubin, "nvrtcGetCUBIN");
  }

  void check(Status status, const char* what) const {
    if (status != 0) throw CompileError(fmt::format("NVRTC: {}: {}", what, error(status)));
  }

  // What a pair of functions gives: the size, then the bytes.
  std::string text(Program program, Status (*size_of)(Program, std::size_t*), Status (*get)(Program, char*),
                   const char* what) const {
    std::size_t size = 0;
    check(size_of(program, &size), what);
    std::string bytes(size, '\0');
    if (size > 0) check(get(program, bytes.data()), what);
    return bytes;
  }
};

Nvrtc::Nvrtc() {
  static Functions functions;
  functions_ = &functions;
  const std::vector<std::string> paths = candidates();
  std::string wrong;
  for (const std::string& path : paths) {
    load_builtins_beside(path);
    void* library = dlopen(path.c_str(), RTLD_NOW);
    if (library && functions.find(library)) {
      path_ = path;
      return;
    }
    wrong += fmt::format("; {}", library ? path + ": another library" : dlerror());
  }
  throw CompileError("NVRTC is not here (`tools/dev setup --with-nvrtc` fetches it)" + wrong);
}

const Nvrtc& Nvrtc::instance() {
  static const Nvrtc* const loaded = new Nvrtc;
  return *loaded;
}

std::string Nvrtc::version() const {
  int major = 0, minor = 0;
  functions_->check(functions_->version(&major, &minor), "version");
  return fmt::format("{}.{}", major, minor);
}

DeviceCode Nvrtc::compile(const std::string& source) const {
  const Functions& call = *functions_;
  Program program = nullptr;
  call.check(call.create(&program, source.c_str(), "swage.cu", 0, nullptr, nullptr), "creating a program");
  struct Destroy {
    const Functions& call;
    Program& program;
    ~Destroy() { call.destroy(&program); }
  } destroy{call, program};
  const Status status = call.compile(program, static_cast<int>(kOptions.size()), kOptions.data());
  DeviceCode code;
  const auto without_end = [](std::string text) {  // texts end with a zero byte
    while (!text.empty() && (text.back() == '\0' || text.back() == '\n')) text.pop_back();
    return text;
  };
  code.log = without_end(call.text(program, call.log_size, call.log, "reading the log"));
  if (status != 0) throw CompileError(fmt::format("NVRTC: {}\n{}", call.error(status), code.log));
  code.ptx = without_end(call.text(program, call.ptx_size, call.ptx, "reading PTX"));
  code.cubin = call.text(program, call.cubin_size, call.cubin, "reading machine code");
  return code;
}

}  // namespace swage::jit::cuda
