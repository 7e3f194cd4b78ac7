// A grid with walls in which a goal is to be found; another one in every episode. Actions: 0 up, 1 right, 2 down, 3 left; who walks into a wall
// or over the edge stays. A step costs 0.01, reaching the goal is worth 1 and terminates the episode, which lasts four steps a cell at most.
//
// State: row, column, those of the goal, then row by row 1 for a wall and 0 for none. Observed are the way to the goal, down and right, as
// parts of the grid, and of the eight cells around, row by row, which are closed (1) or free (0). There always is a way.
#pragma once

#include <swage/env/environment.hpp>

namespace swage::env {

struct GridWorldOptions {
  std::int64_t rows = 8, columns = 8;  // at least 2 cells, at most 10,000
  double walls = 0.25;                 // share of the cells, at most 0.5
  double slip = 0;                     // probability that a step goes in a random direction
};

class GridWorld final : public Environment {
 public:
  explicit GridWorld(const GridWorldOptions& options = {});  // ValueError for options out of range

 protected:
  void begin(std::vector<double>& state, Random& random) override;
  Outcome advance(std::vector<double>& state, std::span<const double> action, Random& random) override;
  void observe(std::span<const double> state, std::span<double> observation) const override;
  bool possible(std::span<const double> state) const override;

 private:
  bool closed(std::span<const double> state, std::int64_t row, std::int64_t column) const;
  bool reachable(std::span<const double> state) const;

  GridWorldOptions options_;
};

}  // namespace swage::env
