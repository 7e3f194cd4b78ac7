// Random programs of the frontend. A program is a list of positions; each position draws a statement from a generator of its own,
// seeded by the program and the position, and from the tensors that it finds. Every round runs the same positions, so rounds
// repeat but for what moves: starts, scalars, and statements that only some rounds run. A position can be left out, which is
// how a failing program is shrunk.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <test/frontend/tiers.hpp>

namespace swage::test {

class FuzzProgram {
 public:
  FuzzProgram(std::uint64_t seed, std::vector<bool> enabled, int rounds)
      : seed_(seed), enabled_(std::move(enabled)), rounds_(rounds) {}

  void run(Notes& notes);
  // What the round before the last one did, one line a statement.
  const std::string& listing() const { return listing_; }

  static std::size_t length(std::uint64_t seed);  // positions

 private:
  std::size_t pick(std::size_t n) { return random_() % n; }
  bool chance(std::size_t one_in) { return pick(one_in) == 0; }
  bool odd_round(std::size_t one_in);   // true in few rounds
  std::int64_t moving(std::int64_t n);  // below n; differs from round to round in some programs
  double number();
  void run_round(Notes& notes);
  void statement(std::size_t position, Notes& notes);
  void say(const std::string& line);
  std::string name(const Tensor& tensor) const;

  Dims shape();
  Tensor any();
  Tensor any_float();
  Tensor any_matrix();
  Tensor fitting(const Tensor& other);  // broadcasts with it; may be undefined
  void keep(Tensor tensor);

  void make();
  void unary();
  void binary();
  void with_number();
  void select_where();
  void reduction();
  void product();
  void view();
  void in_place();
  void cast();
  void index();
  void composite();
  void join();
  void leaf();
  void gradient();
  void handles(Notes& notes);
  void host(Notes& notes);
  void share(Notes& notes);

  std::uint64_t seed_;
  std::vector<bool> enabled_;
  int rounds_;
  int round_ = 0;
  bool moves_ = false, borrows_ = false, listing_on_ = false;
  std::mt19937_64 random_;
  std::vector<Tensor> state_;  // lives on from round to round
  std::vector<Tensor> values_;
  std::vector<Tensor> leaves_;
  std::vector<Tensor> history_;
  std::vector<float> memory_;
  std::string listing_;
};

}  // namespace swage::test
