#include <test/log_fuzz/corpus.hpp>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <sys/wait.h>
#include <unistd.h>

#include <runtime/core/error.hpp>
#include <runtime/engine/event_log.hpp>
#include <runtime/engine/plan.hpp>
#include <swage/swage.hpp>
#include <test/log_fuzz/layout.hpp>

namespace swage::log_fuzz {
namespace {

EngineOptions soon() {
  EngineOptions options;
  options.tier = Tier::compiled;
  options.runs_before_compiling = 2;
  options.background = false;
  options.weigh_cost = false;
  return options;
}

// Views, writes in place, reductions, a product, random numbers, an index; sizes that change and a branch.
void pointwise_program() {
  manual_seed(1);
  Tensor state = zeros({4, 6});
  for (int step = 0; step < 24; ++step) {
    const std::int64_t n = step % 3 == 0 ? 5 : 4;
    const Tensor x = rand({n, 6});
    Tensor y = tanh(x * 2.0 + 1.0);
    if (step % 4 == 1) y = exp(y) - 1.0;
    const Tensor rows = sum(y, 1, /*keepdim=*/true);
    const Tensor part = y.narrow(1, step % 2, 3);
    state.mul_(0.5).add_(mean(matmul(y.transpose(0, 1), y)));
    static_cast<void>(sum(amax(part + rows, 0)).item());
  }
}

void training_program() {
  manual_seed(2);
  const Tensor weight = rand({6, 3}).requires_grad_();
  const Tensor bias = zeros({3}).requires_grad_();
  optim::SGD optimizer({weight, bias}, {.lr = 0.1});
  for (int step = 0; step < 16; ++step) {
    const Tensor x = rand({8, 6});
    const Tensor loss = mean(square(relu(matmul(x, weight) + bias)));
    loss.backward();
    optimizer.step();
  }
}

struct NoPlan final : Plan {
  explicit NoPlan(const EscapeMask& escapes) { escapes_ = escapes; }
  std::optional<CheckFailure> check(const PlanFrame&) override { return std::nullopt; }
  void run(const PlanFrame&) override {}
};

// All kinds of ops, layouts and events.
constexpr const char* kTraces[] = {
    R"(%0 = input : f32[2,3,8,8]
%1 = input : f32[4,3,3,3]
%2 = conv2d(%0, %1) {1,1,1,1} : f32[2,4,8,8]
%3 = relu(%2) : f32[2,4,8,8]
%4 = sum(%3) {1,0,2,3} : f32[1,4,1,1]
%5 = mul(%4, slot f64) : f32[1,4,1,1]
%6 = sub(%3, %5) : f32[2,4,8,8]
%7 = conv2d_grad_weight(%6, %0) {1,1,1,1,4,3,3,3} : f32[4,3,3,3]
cut {0}
escapes %6 %7
)",
    R"(%0 = input : f32[5,7]
%1 = permute(%0) {1,0} : f32[7,5:1,7]
%2 = narrow(%1) {0,3} : f32[3,5:1,7]
%3 = copy(%2) : f32[3,5]
%4 = input : i64[3,2]
%5 = gather(%3, %4) {1} : f32[3,2]
%6 = scatter_add(%3, %4, %5) {1} : f32[3,5]
%7 = argmax(%6) {0,1} : i64[3]
%8 = eq(%7, 2i) : bool[3]
%9 = input : f32[3]
%10 = add_(%9, 1) : f32[3]
%11 = where(%8, %10, slot f64) : f32[3]
%12 = uniform() {3} dtype=f32 : f32[3]
%13 = matmul(%6, %1) : f32[3,5]
cut {1}
escapes %11 %12
)",
};

void by_hand(const std::filesystem::path& file) {
  EventLog log(file);
  std::uint32_t id = 1;
  for (const char* const text : kTraces) {
    EscapeMask escapes;
    Trace trace = parse_trace(text, &escapes);
    trace.id = id++;
    trace.sites.assign(trace.size(), CallSite{text});
    if (runlog::TraceFigures* const figures = log.store(trace)) *figures = {trace.id, 1, 12, 9, 1, 1500, 1400, 700, 700, 2};
    CompileResult result;
    result.plan = std::make_unique<NoPlan>(escapes);
    result.groups = 1;
    result.notes = "nothing to fuse";
    log.store_plan(trace.id, result, false, 3.5);
    for (std::uint32_t code = 0; code < kEventNames.size(); ++code)
      if (static_cast<EventCode>(code) != EventCode::hit)
        log.add(static_cast<EventCode>(code), trace.id, code % static_cast<std::uint32_t>(trace.size()), code * 100,
                trace.keys[2], CallSite{text});
    log.add_hits(trace.id, 64, 1000, 2000);
  }
  log.store_refusal(2, "because");
  log.remark("a remark");
  log.new_stream().hits.add(5);
  log.end();
}

void in_child(const std::function<void()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    try {
      body();
    } catch (...) {
      _exit(1);
    }
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
}

// Modules without debug information: resolving lines of this program again and again would be all the time there is.
void lighten(Log& log) {
  std::size_t modules = 0;
  std::erase_if(log.blobs, [&](const Blob& blob) { return blob.kind == runlog::BlobKind::module && modules++ > 1; });
  for (Blob& blob : log.blobs) {
    if (blob.kind != runlog::BlobKind::module) continue;
    blob.content.resize(sizeof(runlog::ModuleBlob));
    runlog::ModuleBlob module;
    std::memcpy(static_cast<void*>(&module), blob.content.data(), sizeof module);
    module.build_id_bytes = 4;
    blob.content = std::string(reinterpret_cast<const char*>(&module), sizeof module) + "0123/lib64/ld-linux-x86-64.so.2";
  }
}

}  // namespace

std::vector<std::string> make_corpus(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "corpus.swagelog";
  std::vector<std::string> corpus;
  const auto take = [&] {
    std::ifstream in(file, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    if (bytes.empty()) raise<IoError>({}, "no log was left in {}", file.string());
    std::filesystem::remove(file);
    Log log = take_apart(bytes);
    constexpr std::size_t kMostEvents = 64;
    for (auto* const ring : {&log.decisions, &log.hits})
      if (ring->size() > kMostEvents) ring->resize(kMostEvents);
    lighten(log);
    corpus.push_back(put_together(log));
  };
  in_child([&] { by_hand(file); });
  take();
  for (const auto& program : {pointwise_program, training_program}) {
    in_child([&] {
      setenv("SWAGE_LOG", file.c_str(), /*overwrite=*/1);
      set_engine_options(soon());
      program();
    });
    take();
  }
  return corpus;
}

}  // namespace swage::log_fuzz
