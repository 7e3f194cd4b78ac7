#include <swage/env/grid_world.hpp>

#include <algorithm>
#include <array>
#include <cmath>

#include <runtime/core/error.hpp>

namespace swage::env {
namespace {

constexpr std::size_t kRow = 0, kColumn = 1, kGoalRow = 2, kGoalColumn = 3, kWalls = 4;
constexpr std::int64_t kMostCells = 10'000;
constexpr std::array<std::array<std::int64_t, 2>, 4> kWays = {{{-1, 0}, {0, 1}, {1, 0}, {0, -1}}};

std::int64_t checked_cells(const GridWorldOptions& options, CallSite site) {
  const bool sized = options.rows > 0 && options.columns > 0 && options.rows <= kMostCells && options.columns <= kMostCells &&
                     options.rows * options.columns >= 2 && options.rows * options.columns <= kMostCells;
  if (!sized || !(options.walls >= 0 && options.walls <= 0.5) || !(options.slip >= 0 && options.slip <= 1))
    raise<ValueError>(site,
                      "[GridWorld] {} x {} cells, {} of them walls, slips {}; 2 to {} cells, 0 to 0.5 and 0 to 1 are possible",
                      options.rows, options.columns, options.walls, options.slip, kMostCells);
  return options.rows * options.columns;
}

std::int64_t whole(double number) { return static_cast<std::int64_t>(number); }

}  // namespace

GridWorld::GridWorld(const GridWorldOptions& options)
    : Environment(Space::box(10, -1, 1), Space::choices(4), kWalls + static_cast<std::size_t>(checked_cells(options, caller())),
                  4 * options.rows * options.columns),
      options_(options) {}

void GridWorld::begin(std::vector<double>& state, Random& random) {
  const std::int64_t cells = options_.rows * options_.columns;
  const auto place = [&](std::size_t row, std::size_t column) {
    const auto cell = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(cells)));
    const std::int64_t above = cell / options_.columns;
    state[row] = static_cast<double>(above);
    state[column] = static_cast<double>(cell % options_.columns);
  };
  do {
    for (std::size_t i = kWalls; i < state.size(); ++i) state[i] = uniform(random, 0, 1) < options_.walls;
    place(kRow, kColumn);
    place(kGoalRow, kGoalColumn);
  } while (!possible(state) || !reachable(state));
}

Environment::Outcome GridWorld::advance(std::vector<double>& state, std::span<const double> action, Random& random) {
  const bool slips = options_.slip > 0 && uniform(random, 0, 1) < options_.slip;
  const auto& [down, right] = kWays[slips ? random.below(kWays.size()) : static_cast<std::size_t>(action[0])];
  const std::int64_t row = whole(state[kRow]) + down, column = whole(state[kColumn]) + right;
  if (!closed(state, row, column)) {
    state[kRow] = static_cast<double>(row);
    state[kColumn] = static_cast<double>(column);
  }
  const bool there = state[kRow] == state[kGoalRow] && state[kColumn] == state[kGoalColumn];
  return {there ? 1 : -0.01, there};
}

void GridWorld::observe(std::span<const double> state, std::span<double> observation) const {
  observation[0] = (state[kGoalRow] - state[kRow]) / static_cast<double>(options_.rows);
  observation[1] = (state[kGoalColumn] - state[kColumn]) / static_cast<double>(options_.columns);
  std::size_t at = 2;
  for (const std::int64_t down : {-1, 0, 1})
    for (const std::int64_t right : {-1, 0, 1})
      if (down != 0 || right != 0) observation[at++] = closed(state, whole(state[kRow]) + down, whole(state[kColumn]) + right);
}

// On the grid, nobody in a wall, and not at the goal yet.
bool GridWorld::possible(std::span<const double> state) const {
  const auto on_grid = [&](double row, double column) {
    return row >= 0 && row < static_cast<double>(options_.rows) && row == std::floor(row) && column >= 0 &&
           column < static_cast<double>(options_.columns) && column == std::floor(column) &&
           !closed(state, whole(row), whole(column));
  };
  return std::all_of(state.begin() + kWalls, state.end(), [](double wall) { return wall == 0 || wall == 1; }) &&
         on_grid(state[kRow], state[kColumn]) && on_grid(state[kGoalRow], state[kGoalColumn]) &&
         (state[kRow] != state[kGoalRow] || state[kColumn] != state[kGoalColumn]);
}

bool GridWorld::closed(std::span<const double> state, std::int64_t row, std::int64_t column) const {
  if (row < 0 || row >= options_.rows || column < 0 || column >= options_.columns) return true;
  return state[kWalls + static_cast<std::size_t>(row * options_.columns + column)] != 0;
}

bool GridWorld::reachable(std::span<const double> state) const {
  const std::int64_t goal = whole(state[kGoalRow]) * options_.columns + whole(state[kGoalColumn]);
  std::vector<std::int64_t> found = {whole(state[kRow]) * options_.columns + whole(state[kColumn])};
  std::vector<bool> seen(static_cast<std::size_t>(options_.rows * options_.columns));
  seen[static_cast<std::size_t>(found[0])] = true;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i] == goal) return true;
    for (const auto& [down, right] : kWays) {
      const std::int64_t row = found[i] / options_.columns + down, column = found[i] % options_.columns + right;
      if (closed(state, row, column) || seen[static_cast<std::size_t>(row * options_.columns + column)]) continue;
      seen[static_cast<std::size_t>(row * options_.columns + column)] = true;
      found.push_back(row * options_.columns + column);
    }
  }
  return false;
}

}  // namespace swage::env
