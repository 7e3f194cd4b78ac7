#include <test/fuzz/program.hpp>

#include <algorithm>
#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace swage::fuzz {
namespace {

constexpr std::size_t kMostValues = 10;
constexpr std::int64_t kMostElements = 4096, kMostElementsLarge = 100'000;
constexpr int kRounds = 10;

std::uint64_t mixed(std::uint64_t seed, std::uint64_t salt) {
  std::uint64_t state = seed + 0x9E3779B97F4A7C15ull * salt;
  return split_mix(state);
}

}  // namespace

Recipe whole_recipe(std::uint64_t seed) {
  const std::size_t length = 4 + std::min(mixed(seed, 1) % 28, mixed(seed, 4) % 28);  // few are long
  return {seed, std::vector<bool>(length, true), kRounds};
}

std::string print(const Recipe& recipe) {
  std::vector<std::size_t> positions;
  for (std::size_t i = 0; i < recipe.enabled.size(); ++i)
    if (recipe.enabled[i]) positions.push_back(i);
  return fmt::format("program {} rounds {} positions {}", recipe.seed, recipe.rounds, fmt::join(positions, " "));
}

Recipe parse_recipe(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string program, rounds, positions;
    std::uint64_t seed = 0;
    int count = 0;
    if (!(words >> program >> seed >> rounds >> count >> positions)) continue;
    if (program != "program" || rounds != "rounds" || positions != "positions") continue;
    Recipe recipe = whole_recipe(seed);
    recipe.rounds = count;
    recipe.enabled.assign(recipe.enabled.size(), false);
    for (std::size_t position = 0; words >> position;)
      if (position < recipe.enabled.size()) recipe.enabled[position] = true;
    return recipe;
  }
  raise<ValueError>({}, "no line 'program SEED rounds N positions …' to replay");
}

bool Program::odd_round(std::size_t one_in) {
  const std::size_t phase = pick(one_in);
  return static_cast<std::size_t>(round_) % one_in == phase;
}

std::int64_t Program::moving(std::int64_t n) {
  const auto start = static_cast<std::int64_t>(pick(static_cast<std::size_t>(n)));
  return traits_.moves ? (start + round_ * 3) % n : start;
}

std::int64_t Program::batch() const {
  static constexpr std::int64_t kExtents[] = {4, 7, 4, 33, 7};
  return traits_.varies ? kExtents[static_cast<std::size_t>(round_) % std::size(kExtents)] : 4;
}

double Program::number() {
  const double choices[] = {0.5, -1.25, 2.0, 0.0, 1.0 + round_, 0.1 * round_ - 0.3};
  return choices[pick(std::size(choices))];
}

std::string Program::name(const Tensor& tensor) const {
  const auto find = [&](const std::vector<Tensor>& list, char letter) -> std::string {
    for (std::size_t i = 0; i < list.size(); ++i)
      if (list[i].value() == tensor.value()) return fmt::format("{}{}", letter, i);
    return {};
  };
  for (const std::string& found : {find(values_, 'v'), find(state_, 's'), find(parameters_, 'p')})
    if (!found.empty()) return found;
  return "new";
}

void Program::say(const std::string& line) {
  if (listing_on_) listing_ += line + "\n";
}

Dims Program::shape() {
  static const Dims kShapes[] = {{4, 6},  {6, 4}, {5, 5},  {3, 4, 6}, {6},    {4, 1},      {1, 6},
                                 {2, 33}, {40},   {7, 17}, {},        {0, 4}, {2, 3, 2, 5}};
  static const Dims kLarge[] = {{70, 600}, {40'000}, {3, 20'001}, {2100, 17}, {5, 4, 2048}};
  if (traits_.large && chance(3)) return kLarge[pick(std::size(kLarge))];
  if (traits_.varies && chance(2)) {
    const Dims kBatches[] = {{batch(), 6}, {batch(), 6}, {batch(), 1}, {batch(), 4, 6}, {batch()}, {3, batch(), 6}};
    return kBatches[pick(std::size(kBatches))];
  }
  return kShapes[pick(chance(3) ? std::size(kShapes) : 5)];
}

Tensor Program::any() {
  if (traits_.trains && chance(8)) return parameters_[pick(parameters_.size())];
  if (values_.empty() || chance(4)) return state_[pick(state_.size())];
  return values_[chance(2) ? values_.size() - 1 - pick(std::min<std::size_t>(3, values_.size())) : pick(values_.size())];
}

Tensor Program::any_float() {
  for (int tries = 0; tries < 6; ++tries)
    if (Tensor a = any(); is_float(a.dtype())) return a;
  return state_[0];
}

Tensor Program::any_matrix() {
  for (int tries = 0; tries < 8; ++tries)
    if (Tensor a = any_float(); a.dim() == 2) return a;
  return state_[0];
}

Tensor Program::fitting(const Tensor& other) {
  const std::int64_t most = traits_.large ? kMostElementsLarge : kMostElements;
  for (int tries = 0; tries < 8; ++tries) {
    Tensor a = any();
    Dims result;
    if (broadcast(a.sizes(), other.sizes(), result) && result.product() <= most) return a;
  }
  return chance(2) ? other : Tensor();
}

void Program::keep(Tensor tensor) {
  say(fmt::format("  -> {}[{}]", name_of(tensor.dtype()), to_string(tensor.sizes())));
  if (values_.size() < kMostValues)
    values_.push_back(std::move(tensor));
  else
    values_[pick(values_.size())] = std::move(tensor);
}

void Program::statement(std::size_t position, Notes& notes) {
  random_ = mixed(recipe_.seed, 100 + position);
  using Statement = void (Program::*)();
  static constexpr Statement kStatements[] = {
      &Program::make,         &Program::make,      &Program::unary,     &Program::unary,    &Program::unary,
      &Program::binary,       &Program::binary,    &Program::binary,    &Program::binary,   &Program::view,
      &Program::view,         &Program::view,      &Program::view,      &Program::in_place, &Program::in_place,
      &Program::in_place,     &Program::cast,      &Program::index,     &Program::product,  &Program::reduction,
      &Program::reduction,    &Program::reduction, &Program::composite, &Program::join,     &Program::with_number,
      &Program::with_number,  &Program::leaf,      &Program::gradient,  &Program::logical,  &Program::repeat,
      &Program::select_where, &Program::mistake,
  };
  if (traits_.borrows && chance(5)) return share(notes);
  if (traits_.trains && chance(8)) return train(notes);
  if (traits_.threads && chance(6)) return elsewhere(notes);
  if (structures_ && chance(3)) return chance(4) ? grow() : forest(notes);
  if (chance(40)) return convolution();
  if (chance(24)) return layer();
  const std::size_t kind = pick(std::size(kStatements) + 6);
  if (kind < std::size(kStatements))
    (this->*kStatements[kind])();
  else if (kind < std::size(kStatements) + 3)
    handles(notes);
  else
    host(notes);
}

void Program::run_round(Notes& notes) {
  for (std::size_t position = 0; position < recipe_.enabled.size(); ++position) {
    if (!recipe_.enabled[position]) continue;
    say(fmt::format("{}:", position));
    try {
      statement(position, notes);
    } catch (const Error& error) {
      say(fmt::format("  error: {}", error.what()));
      notes(std::string("error: ") + error.what());
    }
  }
}

void Program::begin() {
  random_ = mixed(recipe_.seed, 2);
  traits_.moves = chance(2);
  traits_.borrows = chance(8);
  traits_.trains = chance(4);
  traits_.varies = chance(5);
  traits_.large = chance(16);
  traits_.aliases = chance(2);
  traits_.threads = chance(6);
  memory_.assign(32, 0.5f);
  state_ = {randn({4, 6}), randn({5, 5}), randn({3, 4, 6}), arange(24).reshape({4, 6}), randn({6}, DType::f64)};
  if (traits_.aliases) {
    state_.push_back(state_[0].narrow(1, 1, 4));
    state_.push_back(state_[1].t());
    state_.push_back(state_[0].reshape({24}).narrow(0, 3, 6));
    state_.push_back(state_[2][1]);
  }
  // From a draw of its own: other programs are what they were before there were structures.
  if (mixed(recipe_.seed, 5) % 5 == 0) structures_ = std::make_unique<Structures>(mixed(recipe_.seed, 6));
  if (!traits_.trains) return;
  parameters_ = {randn({5, 6}) * 0.4, randn({5}) * 0.1, randn({3, 5}) * 0.4, randn({3}), randn({6})};
  for (const Tensor& parameter : parameters_) parameter.requires_grad_();
  switch (pick(4)) {
    case 0: optimizer_ = std::make_unique<optim::AdamW>(parameters_, optim::AdamWOptions{.lr = 0.01}); break;
    case 1: optimizer_ = std::make_unique<optim::Adam>(parameters_, optim::AdamOptions{.lr = 0.01}); break;
    case 2: optimizer_ = std::make_unique<optim::SGD>(parameters_, optim::SGDOptions{.lr = 0.05, .momentum = 0.9}); break;
    default: optimizer_ = std::make_unique<optim::SGD>(parameters_, optim::SGDOptions{.lr = 0.05, .weight_decay = 0.1}); break;
  }
}

void Program::run(Notes& notes) {
  begin();
  const std::size_t noted = pick(4);
  kept_random_ = random_state();
  step();
  for (round_ = 0; round_ < recipe_.rounds; ++round_) {
    listing_on_ = round_ == recipe_.rounds - 2;
    values_.clear();
    leaves_.clear();
    try {
      run_round(notes);
    } catch (const UserError& error) {
      notes(std::string(error.what()));
    }
    random_ = mixed(recipe_.seed, 3);
    try {
      for (const Tensor& value : values_)
        if (noted > 0 && pick(4) <= noted) notes(value);
      step();
    } catch (const Error& error) {  // none is due here: a difference from eager
      notes(std::string("error at the end of a round: ") + error.what());
    }
  }
  for (const std::vector<Tensor>* list : {&state_, &parameters_, &history_})
    for (const Tensor& each : *list) notes(each);
  for (const Tensor& parameter : parameters_) notes(parameter.grad());
  if (structures_)
    for (const Tensor& each : structures_->tensors()) notes(each);
  for (const float each : memory_) notes(std::to_string(each));
  notes(rand({2}));
  optimizer_.reset();
  structures_.reset();
  for (std::vector<Tensor>* list : {&values_, &leaves_, &history_, &state_, &parameters_}) list->clear();
}

}  // namespace swage::fuzz
