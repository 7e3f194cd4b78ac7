#include <swage/batch.hpp>

#include <cstring>

#include <runtime/core/allocator.hpp>
#include <swage/autograd/grad_mode.hpp>
#include <swage/batch/collecting.hpp>
#include <swage/detail/call.hpp>

namespace swage {

namespace {
constinit thread_local bool batching_is_on = true;
}  // namespace

void set_batching(bool on) {
  if (grouping::collecting())
    raise<ValueError>(SiteScope::or_else(caller()), "[set_batching] a batch scope is open; set it outside");
  batching_is_on = on;
}
bool batching() { return batching_is_on; }

namespace grouping {

Scope::Scope() {
  if (collector || !batching_is_on) return;
  detail::stream().cut(CutReason::scope, {});
  own_ = std::make_unique<Collecting>();
  collector = own_.get();
}
Scope::~Scope() {
  if (own_) collector = nullptr;
}
void Scope::finish() {
  if (own_) own_->settle({});
}

Tensor as_input(std::int64_t number) {
  static const DescId desc = intern(DType::i64, {});
  void* const buffer = allocate_buffer(sizeof number);
  std::memcpy(buffer, &number, sizeof number);
  return Tensor(detail::stream().adopt_buffer(buffer, sizeof number, desc, true));
}

// What the body does with inputs of these shapes, as long as the same gradients are wanted.
struct Known {
  std::vector<std::uint64_t> inputs;  // descriptor and gradient of each; the mode
  std::shared_ptr<CellProgram> program;
  std::vector<Tensor> shared;
  std::vector<std::uint64_t> kinds;  // of the shared values, when the body was recorded

  // A shared value may have stopped to require a gradient since, or have grown.
  static std::uint64_t kind_of(const Tensor& shared) {
    return std::uint64_t{shared.value()->desc} << 1 | std::uint64_t{shared.requires_grad()};
  }
  bool holds() const {
    for (std::size_t i = 0; i < shared.size(); ++i)
      if (kind_of(shared[i]) != kinds[i]) return false;
    return true;
  }
};

struct CellPrograms::State {
  std::string name;
  bool pure;
  std::vector<Known> known;
  std::vector<OutId> inputs;           // of the instance being recorded
  std::vector<std::uint64_t> pattern;  // its inputs, as in Known
};

CellPrograms::CellPrograms(std::string name, bool pure) : state_(new State{std::move(name), pure, {}, {}, {}}) {}
CellPrograms::~CellPrograms() = default;
CellPrograms::CellPrograms(CellPrograms&&) noexcept = default;
CellPrograms& CellPrograms::operator=(CellPrograms&&) noexcept = default;

bool CellPrograms::collects() { return collecting() && !collecting()->in_body(); }

void CellPrograms::mark() const {
  if (!collecting()) detail::stream().cut(CutReason::scope, {});
}

std::optional<Tensors> CellPrograms::instance(Tensors& inputs) {
  Collecting& scope = *collecting();
  state_->inputs.clear();
  state_->pattern.assign(1, GradMode::enabled());
  for (const Tensor& input : inputs) {
    detail::require_defined({}, state_->name, input, "an input of the cell");
    state_->inputs.push_back(scope.operand_of(input));
    const Out& out = scope.out(state_->inputs.back());
    state_->pattern.push_back(std::uint64_t{out.desc} << 1 | std::uint64_t{out.grad && GradMode::enabled()});
  }
  for (const Known& known : state_->known)
    if (known.inputs == state_->pattern && known.holds()) return scope.add_cell(*known.program, known.shared, state_->inputs);
  inputs = scope.begin_body(state_->name, state_->pure, state_->inputs);
  return std::nullopt;
}

Tensors CellPrograms::end_body(Tensors results) {
  Collecting& scope = *collecting();
  Collecting::Finished finished = scope.end_body(results);
  results.clear();
  state_->inputs.insert(state_->inputs.end(), finished.captured.begin(), finished.captured.end());
  if (state_->pure && finished.repeats) {
    std::erase_if(state_->known, [](const Known& known) { return !known.holds(); });
    Known known{state_->pattern, finished.program, finished.shared, {}};
    for (const Tensor& tensor : finished.shared) known.kinds.push_back(Known::kind_of(tensor));
    state_->known.push_back(std::move(known));
  }
  return scope.add_cell(*finished.program, finished.shared, state_->inputs);
}

void CellPrograms::abandon_body() noexcept {
  if (Collecting* const scope = collecting()) scope->abandon_body();
}

}  // namespace grouping
}  // namespace swage
