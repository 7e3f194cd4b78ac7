// Traces lowered to CUDA C++, and their kernels run on the CPU through the host shim.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <jit/cuda/source.hpp>
#include <jit/groups.hpp>
#include <runtime/trace/trace.hpp>

namespace swage::test {

// C++ source, compiled and loaded; its functions are there as long as the object is. Throws std::runtime_error with what the
// compiler said, warnings included.
class HostLibrary {
 public:
  explicit HostLibrary(const std::string& source);
  ~HostLibrary();
  HostLibrary(const HostLibrary&) = delete;
  HostLibrary& operator=(const HostLibrary&) = delete;
  void* function(const std::string& name) const;

 private:
  void* handle_ = nullptr;
};

// Collects traces, so that one compilation serves the kernels of all.
class CudaBatch {
 public:
  void add(const Trace& trace, const EscapeMask& escapes);
  std::size_t size() const { return cases_.size(); }
  const Trace& trace(std::size_t k) const { return cases_[k].trace; }
  const EscapeMask& escapes(std::size_t k) const { return cases_[k].escapes; }

  // The source of all kernels so far.
  const jit::cuda::Source& source();
  // Groups of a trace that have a kernel; all others, library calls among them.
  struct Count {
    std::size_t kernels = 0, others = 0;
  };
  Count count(std::size_t k) const;

  // Compiles the kernels for the CPU.
  HostLibrary host_library();
  // Runs a trace with kernels of `library`, and what has none through the interpreter, against the interpreter alone: what
  // differs, or nothing.
  std::string difference(std::size_t k, const HostLibrary& library, std::uint64_t seed, unsigned order) const;

 private:
  struct Case {
    Trace trace;
    EscapeMask escapes;
    jit::PlannedGroups planned;
    std::vector<int> programs;  // by distinct program of the trace: its index in the batch
  };
  // The kernel of a group, if it has one.
  const jit::cuda::Kernel* kernel(const Case& at, std::size_t group) const;

  std::vector<Case> cases_;
  std::vector<jit::Program> programs_;
  jit::cuda::Source source_;
  bool emitted_ = false;
};

}  // namespace swage::test
