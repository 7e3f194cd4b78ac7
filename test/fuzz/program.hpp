// Random programs of the frontend. A program is a list of positions; each position draws a statement from a generator of its own,
// seeded by the program and the position, and from the tensors that it finds. Every round runs the same positions, so rounds
// repeat but for what moves: starts, scalars, extents, and statements that only some rounds run. A position can be left out,
// which is how a failing program is shrunk.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <runtime/core/split_mix.hpp>
#include <test/frontend/tiers.hpp>
#include <test/fuzz/structures.hpp>

namespace swage::fuzz {

// What to run: everything that a program does follows from it.
struct Recipe {
  std::uint64_t seed = 0;
  std::vector<bool> enabled;  // by position
  int rounds = 0;
};
Recipe whole_recipe(std::uint64_t seed);
std::string print(const Recipe& recipe);       // one line: program SEED rounds N positions …
Recipe parse_recipe(const std::string& text);  // of text that holds such a line; ValueError where none does

class Program {
 public:
  explicit Program(Recipe recipe) : recipe_(std::move(recipe)) {}

  void run(test::Notes& notes);
  // What the round before the last one did, one line a statement.
  const std::string& listing() const { return listing_; }

 private:
  using Notes = test::Notes;

  // What is drawn once for the whole program.
  struct Traits {
    bool moves = false;    // starts differ from round to round
    bool varies = false;   // extents do
    bool large = false;    // some tensors are large enough for several threads
    bool borrows = false;  // the user's memory is shared
    bool trains = false;   // there are parameters and an optimiser
    bool aliases = false;  // views enter the window beside what they are views of
    bool threads = false;  // another thread reads, computes and drops what this one made
  };

  std::size_t pick(std::size_t n) { return split_mix(random_) % n; }
  bool chance(std::size_t one_in) { return pick(one_in) == 0; }
  bool odd_round(std::size_t one_in);   // true in few rounds
  std::int64_t moving(std::int64_t n);  // below n; differs from round to round in some programs
  std::int64_t batch() const;           // an extent; differs from round to round in some programs
  double number();
  void begin();
  void run_round(Notes& notes);
  void statement(std::size_t position, Notes& notes);
  void say(const std::string& line);
  std::string name(const Tensor& tensor) const;

  // Tensors to work on (program.cpp).
  Dims shape();
  Tensor any();
  Tensor any_float();
  Tensor any_matrix();
  Tensor fitting(const Tensor& other);  // broadcasts with it; may be undefined
  void keep(Tensor tensor);

  // Statements on values (compute.cpp).
  void make();
  void unary();
  void binary();
  void logical();
  void with_number();
  void select_where();
  void reduction();
  void product();
  void convolution();
  void composite();
  void cast();
  void repeat();

  // Layers of models (layers.cpp).
  void layer();

  // On storages and addresses (storage.cpp).
  void view();
  void in_place();
  void index();
  void join();

  // Gradients (gradient.cpp).
  void leaf();
  void gradient();
  void train(Notes& notes);

  // Trees, routes and growth (structures.cpp).
  void forest(Notes& notes);
  void grow();

  // What programs do besides computing (host.cpp).
  void handles(Notes& notes);
  void host(Notes& notes);
  void share(Notes& notes);
  void elsewhere(Notes& notes);
  void mistake();

  Recipe recipe_;
  Traits traits_;
  int round_ = 0;
  bool listing_on_ = false;
  std::uint64_t random_ = 0;
  std::vector<Tensor> state_;       // lives on from round to round
  std::vector<Tensor> parameters_;  // so do these; they require gradients
  std::unique_ptr<optim::Optimizer> optimizer_;
  std::unique_ptr<Structures> structures_;  // of programs whose structure moves
  std::vector<Tensor> values_;
  std::vector<Tensor> leaves_;
  std::vector<Tensor> history_;
  std::vector<float> memory_;
  RandomState kept_random_;
  std::string listing_;
};

// Thrown by a program between two ops, as a user's code might.
class UserError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace swage::fuzz
