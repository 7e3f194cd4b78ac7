#include <test/jit/harness.hpp>

#include <chrono>

#include <jit/compiler.hpp>
#include <kernels/cpu/kernel_table.hpp>

namespace swage::test {

Parsed parse(std::string_view text) {
  Parsed parsed;
  parsed.trace = parse_trace(text, &parsed.escapes);
  return parsed;
}

const KernelTable& kernels() {
  static const KernelTable table = cpu_kernel_table();
  return table;
}

Compiler& compiler() {
  static Compiler* const made = make_cpu_compiler().release();
  return *made;
}

Outcome compare(const Trace& trace, const EscapeMask& escapes, std::uint64_t seed) {
  Outcome outcome;
  const auto start = std::chrono::steady_clock::now();
  outcome.compiled = compiler().compile(trace, escapes);
  outcome.compile_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  if (auto found = jit::compare_with_interpreter(trace, *outcome.compiled.plan, kernels(), seed))
    outcome.difference = found->words;
  return outcome;
}

Outcome compare(std::string_view text, std::uint64_t seed) {
  const Parsed parsed = parse(text);
  return compare(parsed.trace, parsed.escapes, seed);
}

}  // namespace swage::test
