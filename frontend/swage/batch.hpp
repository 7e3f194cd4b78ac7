// Programs whose structure is another for every sample, at the speed of batches. Inside `batch` ops are collected; at its end, instances
// that do the same and do not depend on each other run as one:
//
//   batch([&] {
//     for (const Tree& tree : trees) losses.push_back(loss_of(tree));   // plain recursive code, a tree at a time
//     total = sum_of(losses);
//   });
//   total.backward();
//
// Values have shapes and types at once, and numbers when the scope ends, or earlier, where the program reads one: then what was collected so far
// runs. Parameters (leaves that require a gradient) are shared by all instances; any other tensor belongs to the instance that takes it.
//
// What `batch` means is the same in every tier: eagerly the same groups run on eager kernels, bit for bit. Without batching
// (`set_batching(false)`) each op runs alone, when it is called. The numbers are then the same but where a kernel's result for a row depends on
// the rows beside it: products of a single row add up in another order than rows of a larger product, and the gradient of a shared
// weight is one sum over all instances in place of a sum of sums.
//
// Restrictions: second-order gradients do not pass through a scope, nor do gradients of one result of a scope by another (`grad`);
// tensors of the scope that have views cannot be written in place, and after the scope a view and its base are tensors of their own.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <swage/detail/pool.hpp>
#include <swage/tensor.hpp>

namespace swage {

namespace grouping {

class Collecting;
struct CellProgram;
using Tensors = detail::PoolVector<Tensor>;

// Opens a scope unless one is open, or batching is off.
class Scope {
 public:
  Scope();
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  void finish();  // runs what was collected; without it, an exception drops it

 private:
  std::unique_ptr<Collecting> own_;
};

// The bodies that a cell has had.
class CellPrograms {
 public:
  CellPrograms(std::string name, bool pure);
  ~CellPrograms();
  CellPrograms(CellPrograms&&) noexcept;
  CellPrograms& operator=(CellPrograms&&) noexcept;

  // An instance, in the scope of this thread: its results, if it is known what the body does with such inputs. Else begins to record the body
  // and gives nothing; `inputs` are then what the body is to be called with.
  std::optional<Tensors> instance(Tensors& inputs);
  Tensors end_body(Tensors results);
  void abandon_body() noexcept;

  static bool collects();  // a scope is open, and no body is being recorded
  // The entry and the end of a cell outside of scopes: what lies between is a window of its own.
  void mark() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// A cell takes tensors and whole numbers; the latter become 0-dimensional i64 tensors.
Tensor as_input(std::int64_t number);
inline Tensor as_input(const Tensor& tensor) { return tensor; }
template <class T>
concept CellInput = std::convertible_to<T, Tensor> || std::integral<std::remove_cvref_t<T>>;

// Results: a tensor, or an array, pair, tuple or vector of tensors.
inline Tensors unpacked(Tensor result) {
  Tensors all;
  all.push_back(std::move(result));
  return all;
}
inline Tensors unpacked(const std::vector<Tensor>& results) { return {results.begin(), results.end()}; }
template <class... T>
Tensors unpacked(const std::tuple<T...>& results) {
  return std::apply([](const auto&... each) { return Tensors{each...}; }, results);
}
template <class A, class B>
Tensors unpacked(const std::pair<A, B>& results) {
  return {results.first, results.second};
}
template <std::size_t N>
Tensors unpacked(const std::array<Tensor, N>& results) {
  return {results.begin(), results.end()};
}

template <class R>
R packed(Tensors results) {
  if constexpr (std::same_as<R, Tensor>) {
    return std::move(results[0]);
  } else if constexpr (std::same_as<R, std::vector<Tensor>>) {
    return {results.begin(), results.end()};
  } else {
    return [&]<std::size_t... k>(std::index_sequence<k...>) {
      return R{std::move(results[k])...};
    }(std::make_index_sequence<std::tuple_size_v<R>>());
  }
}

}  // namespace grouping

// Calls `f`; what it returns has its numbers when this returns. A scope inside another belongs to the outer one.
template <class F>
auto batch(F&& f) {
  grouping::Scope scope;
  if constexpr (std::is_void_v<std::invoke_result_t<F>>) {
    std::forward<F>(f)();
    scope.finish();
  } else {
    auto result = std::forward<F>(f)();
    scope.finish();
    return result;
  }
}

// Whether `batch` collects (the default), on this thread.
void set_batching(bool on);
bool batching();

struct CellOptions {
  // A promise: what the body captures is the same tensors at every call, and it does nothing but compute. Its ops are then recorded once
  // and the body is not called again in a scope. A body that draws random numbers is called every time all the same.
  bool pure = false;
};

// A part of a program that repeats, with a name: in a batch scope its instances run as one, all ops of the body together. Outside it is
// called as it is, and the engine takes it for a unit that repeats.
//
//   auto node = cell("node", [&](const Tensor& left, const Tensor& right) { return tanh(w(cat({left, right}, 0))); }, {.pure = true});
//
// The body takes tensors (whole numbers arrive as 0-dimensional i64 tensors) and returns a tensor, or an array, a pair, a tuple or a
// vector of tensors. It cannot read values or write tensors from outside. What it captures must outlive the cell.
template <class F>
class NamedCell {
 public:
  NamedCell(std::string name, F f, CellOptions options) : f_(std::move(f)), programs_(std::move(name), options.pure) {}

  template <grouping::CellInput... T>
  auto operator()(const T&... arguments) {
    return call(grouping::as_input(arguments)...);
  }

 private:
  template <class... T>
  auto call(T... inputs) {
    using Result = std::remove_cvref_t<std::invoke_result_t<F&, const T&...>>;
    if (!grouping::CellPrograms::collects()) {
      programs_.mark();
      Result result = f_(std::as_const(inputs)...);
      programs_.mark();
      return result;
    }
    grouping::Tensors taken;
    taken.reserve(sizeof...(T));
    (taken.push_back(std::move(inputs)), ...);
    if (auto known = programs_.instance(taken)) return grouping::packed<Result>(std::move(*known));
    try {
      Result result = [&]<std::size_t... k>(std::index_sequence<k...>) {
        return f_(std::as_const(taken[k])...);
      }(std::make_index_sequence<sizeof...(T)>());
      return grouping::packed<Result>(programs_.end_body(grouping::unpacked(std::move(result))));
    } catch (...) {
      programs_.abandon_body();
      throw;
    }
  }

  F f_;
  grouping::CellPrograms programs_;
};

template <class F>
NamedCell<std::decay_t<F>> cell(std::string name, F&& f, CellOptions options = {}) {
  return {std::move(name), std::forward<F>(f), options};
}

}  // namespace swage
