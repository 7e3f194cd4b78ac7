#include <swage/batch/program.hpp>

#include <algorithm>
#include <bit>
#include <unordered_map>

#include <runtime/core/error.hpp>
#include <swage/autograd/node.hpp>

namespace swage::grouping {
namespace {

constexpr std::size_t kMostPrograms = 8192;

struct Known {
  std::unordered_multimap<std::uint64_t, std::shared_ptr<CellProgram>> by_hash;
  std::uint32_t next_id = 1;
};
Known& known() {
  static thread_local Known programs;
  return programs;
}

std::uint64_t hash_of(std::span<const std::uint64_t> words) {
  std::uint64_t hash = words.size();
  for (const std::uint64_t word : words) {
    hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 29;
  }
  return hash;
}

std::uint64_t word_of(OperandRef ref) { return std::uint64_t{ref.kind} << 32 | static_cast<std::uint32_t>(ref.index); }

}  // namespace

SharedIdentity::SharedIdentity(const Value& value)
    : owner(value.owner()), offset(value.offset), desc(value.desc), grad(value.flags & Value::kRequiresGrad) {
  if (grad && !autograd::node_of(&value)) leaf = &value;
}

OperandRef ProgramBuilder::add_input(DescId desc, bool grad) {
  program_.inputs.push_back(desc);
  program_.input_grad.push_back(grad);
  return {OperandRef::input, static_cast<std::int32_t>(program_.inputs.size() - 1)};
}

OperandRef ProgramBuilder::add_shared(const Tensor& tensor) {
  const SharedIdentity identity(*tensor.value());
  const auto found = std::ranges::find(identities_, identity);
  const auto index = static_cast<std::int32_t>(found - identities_.begin());
  if (found == identities_.end()) {
    identities_.push_back(identity);
    program_.shared.push_back(tensor);
  }
  return {OperandRef::shared, index};
}

OperandRef ProgramBuilder::add_op(BodyOp op, std::size_t n_operands, bool grad) {
  op.count = static_cast<std::uint32_t>(n_operands);
  op.first = static_cast<std::uint32_t>(program_.operands.size() - n_operands);
  for (const OperandRef& ref : program_.operands_of(op)) {
    op.rows |= ref.kind == OperandRef::input;
    if (ref.kind == OperandRef::local) op.rows |= program_.ops[static_cast<std::size_t>(ref.index)].rows;
  }
  program_.ops.push_back(op);
  local_grad_.push_back(grad);
  return {OperandRef::local, static_cast<std::int32_t>(program_.ops.size() - 1)};
}

DescId ProgramBuilder::desc_of_ref(OperandRef ref) const {
  const auto i = static_cast<std::size_t>(ref.index);
  switch (ref.kind) {
    case OperandRef::input: return program_.inputs[i];
    case OperandRef::shared: return program_.shared[i].value()->desc;
    default: return program_.ops[i].result;
  }
}

bool ProgramBuilder::grad_of(OperandRef ref) const {
  const auto i = static_cast<std::size_t>(ref.index);
  switch (ref.kind) {
    case OperandRef::input: return program_.input_grad[i];
    case OperandRef::shared: return program_.shared[i].requires_grad();
    default: return local_grad_[i];
  }
}

void ProgramBuilder::add_output(OperandRef ref) {
  program_.outputs.push_back(ref);
  const DescId desc = desc_of_ref(ref);
  program_.results.push_back(intern(desc_of(desc).dtype, desc_of(desc).dims));
  program_.result_grad.push_back(grad_of(ref));
}

CellProgram& ProgramBuilder::finish(std::string name, bool variadic) {
  std::vector<std::uint64_t> key;
  key.reserve(8 + program_.ops.size() * 8);
  key.push_back(program_.inputs.size() << 32 | std::uint64_t{variadic} << 31 | program_.outputs.size());
  for (std::size_t k = 0; k < program_.inputs.size(); ++k)
    key.push_back(std::uint64_t{program_.inputs[k]} << 1 | std::uint64_t{program_.input_grad[k]});
  for (const SharedIdentity& each : identities_) {
    key.push_back(std::bit_cast<std::uint64_t>(each.owner));
    key.push_back(static_cast<std::uint64_t>(each.offset));
    key.push_back(std::uint64_t{each.desc} << 1 | std::uint64_t{each.grad});
    key.push_back(std::bit_cast<std::uint64_t>(each.leaf));
  }
  for (const BodyOp& op : program_.ops) {
    key.push_back(static_cast<std::uint64_t>(op.op) | static_cast<std::uint64_t>(op.composite) << 16 |
                  std::uint64_t{op.tape} << 24 | static_cast<std::uint64_t>(op.scalar_class) << 25 |
                  std::uint64_t{op.attr} << 32);
    key.push_back(std::bit_cast<std::uint64_t>(op.scalar.integer));
    key.push_back(static_cast<std::uint64_t>(op.start));
    for (const OperandRef& ref : program_.operands_of(op)) key.push_back(word_of(ref));
  }
  for (const OperandRef& ref : program_.outputs) key.push_back(word_of(ref));

  const std::uint64_t hash = hash_of(key);
  auto& all = known();
  for (auto [at, end] = all.by_hash.equal_range(hash); at != end; ++at)
    if (at->second->key == key) {
      finished_ = at->second;
      return *finished_;
    }
  finished_ = std::make_shared<CellProgram>(program_);
  finished_->name = std::move(name);
  finished_->key = std::move(key);
  finished_->variadic = variadic;
  finished_->n_shared = program_.shared.size();
  finished_->shared.clear();
  finished_->id = all.next_id++;
  all.by_hash.emplace(hash, finished_);
  return *finished_;
}

void bound_programs() {
  if (auto& all = known(); all.by_hash.size() > kMostPrograms) all.by_hash.clear();
}

}  // namespace swage::grouping
