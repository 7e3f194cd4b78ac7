// Runs one of the programs: `programs NAME`.
#include <chrono>
#include <cstdio>
#include <cstring>

#include <programs.hpp>

#include <swage/runtime.hpp>

bool swage::inspector::running() {
  using Clock = std::chrono::steady_clock;
  static const Clock::time_point end = Clock::now() + std::chrono::milliseconds(700);
  return Clock::now() < end;
}

int main(int argc, char** argv) {
  using namespace swage;
  using namespace swage::inspector;
  constexpr struct {
    const char* name;
    void (*run)();
  } kPrograms[] = {
      {"borrowed_memory", borrowed_memory},
      {"branch_on_data", branch_on_data},
      {"changing_axis", changing_axis},
      {"forgotten_gradients", forgotten_gradients},
      {"growing_cat", growing_cat},
      {"healthy_evaluation", healthy_evaluation},
      {"healthy_training", healthy_training},
      {"host_read_in_loop", host_read_in_loop},
      {"no_no_grad", no_no_grad},
      {"piling_results", piling_results},
      {"plan_that_cannot_pay", plan_that_cannot_pay},
      {"too_large_a_trace", too_large_a_trace},
      {"unordered_ops", unordered_ops},
      {"write_between", write_between},
  };
  for (const auto& program : kPrograms)
    if (argc == 2 && std::strcmp(argv[1], program.name) == 0) {
      // Plans are made at once, so that a busy machine shows the same as an idle one.
      EngineOptions options = engine_options();
      options.background = false;
      set_engine_options(options);
      program.run();
      return 0;
    }
  std::fprintf(stderr, "usage: programs NAME, with one of:");
  for (const auto& program : kPrograms) std::fprintf(stderr, " %s", program.name);
  std::fprintf(stderr, "\n");
  return 2;
}
