// `swage trace replay`: a stored trace, run again on made-up or stored inputs and timed.
#include <algorithm>
#include <chrono>
#include <cstring>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <jit/compiler.hpp>
#include <jit/side_by_side.hpp>
#include <kernels/cpu/kernel_table.hpp>
#include <runtime/core/allocator.hpp>
#include <runtime/core/error.hpp>
#include <runtime/engine/interpreter.hpp>
#include <swage/creation.hpp>
#include <swage/io/safetensors.hpp>
#include <tools/cli/paint.hpp>
#include <tools/cli/suggest.hpp>
#include <tools/cli/usage.hpp>
#include <tools/trace/answers.hpp>
#include <tools/trace/commands.hpp>
#include <tools/trace/run.hpp>
#include <tools/trace/words.hpp>

namespace swage::tool {
namespace {

template <class Prepare, class Run>
double median_us(int times, const Prepare& prepare, const Run& run) {
  std::vector<double> took;
  prepare();
  run();  // warm
  for (int i = 0; i < times; ++i) {
    prepare();
    const auto start = std::chrono::steady_clock::now();
    run();
    took.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count());
  }
  std::ranges::nth_element(took, took.begin() + static_cast<std::ptrdiff_t>(took.size() / 2));
  return took[took.size() / 2];
}

// What a trace writes of its inputs, as it was before the run.
void restore(const Trace& trace, const jit::Inputs& inputs, const jit::Buffers& buffers) {
  for (RecordIndex i = 0; i < trace.size(); ++i) {
    const RecordIndex s = trace.storages[i];
    if (trace.keys[i].in_place() && trace.is_input(s))
      std::memcpy(buffers.data[s], inputs.contents[s].data(), inputs.contents[s].size());
  }
}

// Inputs in a file: by the record that brings the storage in ("%3"), its elements in the order of memory.
std::string name_in_file(RecordIndex storage) { return fmt::format("%{}", storage); }

std::int64_t elements_of(const jit::Inputs& inputs, RecordIndex storage, DType dtype) {
  return static_cast<std::int64_t>(inputs.contents[storage].size() / size_of(dtype));
}

void save_inputs(const Trace& trace, const jit::Inputs& inputs, const std::string& path) {
  NamedTensorList tensors;
  for (RecordIndex s = 0; s < trace.size(); ++s) {
    if (!trace.is_input(s) || trace.storages[s] != s) continue;
    const DType dtype = desc_of(trace.results[s]).dtype;
    tensors.emplace_back(name_in_file(s), from_blob(inputs.contents[s].data(), {elements_of(inputs, s, dtype)}, dtype));
  }
  save_safetensors(path, tensors);
}

void load_inputs(const Trace& trace, jit::Inputs& inputs, const std::string& path) {
  for (const auto& [name, tensor] : load_safetensors(path)) {
    RecordIndex s = 0;
    while (s < trace.size() && (name_in_file(s) != name || !trace.is_input(s) || trace.storages[s] != s)) ++s;
    if (s == trace.size()) usage_error("{}: this trace has no input {}", path, name);
    const DType dtype = desc_of(trace.results[s]).dtype;
    // The whole memory, as it was saved, or the tensor alone, row-major.
    const std::int64_t wanted = desc_of(trace.results[s]).numel();
    const bool whole = tensor.numel() == elements_of(inputs, s, dtype);
    if (tensor.dtype() != dtype || !(whole || (tensor.numel() == wanted && desc_of(trace.results[s]).contiguous())))
      usage_error("{}: {} has {} elements of {}, and the trace wants {} of {}", path, name, tensor.numel(),
                  swage::name_of(tensor.dtype()), wanted, swage::name_of(dtype));
    const Tensor rows = tensor.contiguous();
    const auto copy = [&]<class T>(T) {
      const std::vector<T> values = rows.to_vector<T>();
      for (std::size_t k = 0; k < values.size(); ++k) {
        const T value = values[k];
        std::memcpy(
            inputs.contents[s].data() + (k + static_cast<std::size_t>(whole ? 0 : inputs.values[s].offset)) * sizeof value,
            &value, sizeof value);
      }
    };
    switch (dtype) {
      case DType::f32: copy(float{}); break;
      case DType::f64: copy(double{}); break;
      case DType::i64: copy(std::int64_t{}); break;
      case DType::boolean: copy(bool{}); break;
    }
  }
}

double replay_eagerly(const Trace& trace, const jit::Inputs& inputs, int times) {
  const KernelTable kernels = cpu_kernel_table();
  const Interpreter interpreter(kernels);
  const jit::Buffers buffers(inputs);
  for (RecordIndex i = 0; i < trace.size(); ++i)
    if (const auto failure = interpreter.check(trace, i, inputs.values, buffers.data))
      usage_error("the inputs do not suit record {}: {}", i, failure->message);
    else
      interpreter.run(trace, i, inputs.values, buffers.data);
  return median_us(
      times, [&] { restore(trace, inputs, buffers); },
      [&] {
        for (RecordIndex i = 0; i < trace.size(); ++i) interpreter.run(trace, i, inputs.values, buffers.data);
      });
}

double replay_compiled(const runlog::TraceEntry& entry, const jit::Inputs& inputs, int times) {
  const CompileResult made = make_cpu_compiler()->compile(entry.trace, escapes_of(entry));
  const jit::Buffers buffers(inputs);
  std::vector<std::uint8_t> room(made.plan->arena_bytes() + kAlignment);
  const auto address = reinterpret_cast<std::uintptr_t>(room.data());
  void* const arena = room.data() + (kAlignment - address % kAlignment) % kAlignment;
  std::vector<void*> storages(entry.trace.size(), nullptr);
  for (RecordIndex s = 0; s < entry.trace.size(); ++s)
    if (entry.trace.storages[s] == s && (entry.trace.is_input(s) || made.plan->escapes().test(s)))
      storages[s] = buffers.data[s];
  const PlanFrame frame{inputs.values, storages, arena};
  if (const auto failure = made.plan->check(frame))
    usage_error("the inputs do not suit record {}: {}", failure->record, failure->message);
  return median_us(times, [&] { restore(entry.trace, inputs, buffers); }, [&] { made.plan->run(frame); });
}

}  // namespace

void add_replay(CLI::App& trace) {
  CLI::App* const command = trace.add_subcommand("replay", "a stored trace again, on made-up or stored inputs, timed");
  auto arguments = take_id_and_run(*command);
  auto tier = std::make_shared<std::string>();
  auto times = std::make_shared<int>(100);
  auto from = std::make_shared<std::string>(), to = std::make_shared<std::string>();
  command->add_option("--tier", *tier, "eager or compiled (default: both)");
  command->add_option("--times", *times, "how often (default 100)")->check(CLI::Range(1, 1'000'000));
  command->add_option("--inputs", *from, "a safetensors file of inputs, by record: %3 (default: made up)");
  command->add_option("--save-inputs", *to, "where to store the inputs, to be changed or used again");
  command->callback([=] {
    const std::vector<std::string> tiers = {"eager", "compiled"};
    if (!tier->empty() && std::ranges::find(tiers, *tier) == tiers.end())
      usage_error("there is no tier '{}' here{}", *tier, suggestion(*tier, tiers));
    const runlog::Run run = open_run(arguments->run);
    const runlog::TraceEntry& entry = trace_named(run, arguments->id);
    if (const std::string why = too_large_to_run(entry.trace); !why.empty())
      usage_error("{} cannot be run here: {}", name_of_trace(entry.trace.id), why);
    jit::Inputs inputs(entry.trace, 1);
    if (!from->empty()) load_inputs(entry.trace, inputs, *from);
    if (!to->empty()) save_inputs(entry.trace, inputs, *to);
    double eager = 0, compiled = 0;
    try {
      if (*tier != "compiled") eager = replay_eagerly(entry.trace, inputs, *times);
      if (*tier != "eager") compiled = replay_compiled(entry, inputs, *times);
    } catch (const CompileError& error) {
      usage_error("{} cannot be compiled: {}", name_of_trace(entry.trace.id), error.what());
    }
    if (arguments->json) {
      Json json = {{"id", name_of_trace(entry.trace.id)}, {"times", *times}};
      if (eager > 0) json["eager_us"] = eager;
      if (compiled > 0) json["compiled_us"] = compiled;
      print_json(json);
      return;
    }
    std::string text = fmt::format("{}, median of {} runs:", name_of_trace(entry.trace.id), *times);
    if (eager > 0) text += fmt::format(" its kernels one by one {:.1f} us", eager);
    if (compiled > 0) text += fmt::format("{} compiled {:.1f} us", eager > 0 ? "," : "", compiled);
    if (eager > 0 && compiled > 0) text += fmt::format(" ({:.2f}x)", eager / compiled);
    fmt::print("{}\n", painted(text));
  });
}

}  // namespace swage::tool
