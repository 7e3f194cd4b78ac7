// What one fused group computes, as a loop nest in a canonical form: two groups with equal programs share their machine code.
// Pointers and scalars are numbered locally; the binding says what they stand for in a trace.
#pragma once

#include <algorithm>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <jit/fusion.hpp>

namespace swage::jit {

// How the loops run and what the range [begin, end) that a group function is given counts.
enum class Form : std::uint8_t {
  flat,     // one loop over elements: [begin, end) in elements, begin a multiple of kLanes
  rows,     // [begin, end) in rows (positions in `outer`); vectors along the last inner dimension
  columns,  // [begin, end) in strips of columns (outer positions × strips); vectors along the last kept dimension
};

inline constexpr std::int64_t kLanes = 16;

// A number of a program (an extent, a stride) that its code takes at run time, because it differs between the traces that share
// the code: the k-th of the constants that lie behind the scalars. True extents and strides are never negative.
inline constexpr std::int64_t kFirstSymbol = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t symbol(int k) { return kFirstSymbol + k; }
constexpr bool is_symbol(std::int64_t number) { return number < 0; }
constexpr int symbol_index(std::int64_t number) { return static_cast<int>(number - kFirstSymbol); }
inline bool has_symbols(const Dims& numbers) { return std::any_of(numbers.begin(), numbers.end(), is_symbol); }

struct Pointer {
  DType dtype = DType::f32;
  Dims outer, inner, vector;  // strides over the program's dimensions of that name
  bool written = false;
  friend bool operator==(const Pointer&, const Pointer&) = default;
};

struct Node {
  enum class Kind : std::uint8_t { load, slot, literal, arithmetic, reduce };
  Kind kind = Kind::load;
  Op op = Op::none;
  DType dtype = DType::f32;    // of the value
  Level level = Level::inner;  // whether it differs from element to element of a row
  DType scalar_class = DType::f64;
  int index = 0;       // load: pointer; slot: scalar (n_scalars + k: the k-th constant)
  int pass = 0;        // reductions that lie before it
  int kept_from = -1;  // the pass that computes it for later ones too; -1: every pass computes it
  double real = 0;     // literal
  int args[3] = {-1, -1, -1};
  friend bool operator==(const Node& a, const Node& b);  // bitwise on `real`
};

struct Store {
  int pointer = 0;
  int node = 0;
  int pass = 0;
  bool past_cache = false;  // goes to memory directly: the group touches more than the last cache holds
  friend bool operator==(const Store&, const Store&) = default;
};

struct Program {
  Form form = Form::flat;
  Dims outer;                // parallel dimensions, collapsed; columns: without the last
  Dims inner;                // reduced dimensions (or the one that vectors run along), collapsed
  std::int64_t columns = 1;  // columns: extent of the last kept dimension
  std::int64_t strip = 1;    // columns: vectors that are walked together
  // Few long rows: a unit is one block of the reduction tree, and a last call combines what the blocks left in scratch memory.
  bool split = false;
  int passes = 1;
  int n_scalars = 0;
  int n_symbols = 0;
  std::vector<Pointer> pointers;
  std::vector<Node> nodes;
  std::vector<Store> stores;
  friend bool operator==(const Program&, const Program&) = default;

  // Rows whose vectors may cross from one stretch of memory into the next.
  bool straddles() const {
    if (form != Form::rows || inner.rank() < 2) return false;
    const std::int64_t last = inner[inner.rank() - 1];
    return is_symbol(last) || last % kLanes != 0;
  }
  // Of programs without symbols only:
  std::int64_t blocks() const;         // of the reduction tree, in a row
  std::int64_t results() const;        // rows, or strips of columns
  std::int64_t units() const;          // extent of the range that a function of this program is given
  std::int64_t work_per_unit() const;  // elements
  bool passes_cache() const {          // such stores want whole vectors
    return std::any_of(stores.begin(), stores.end(), [](const Store& store) { return store.past_cache; });
  }
  std::int64_t grain() const { return form == Form::flat ? kLanes : 1; }
  int reductions() const;
  // Scratch memory of a split program: a slot a reduction, unit and vector of the strip.
  std::int64_t slot_bytes() const { return form == Form::columns ? 8 * kLanes : 8; }
  std::int64_t partial_bytes() const { return split ? reductions() * units() * strip * slot_bytes() : 0; }
};

struct Binding {
  struct Place {
    RecordIndex storage = 0;
    RecordIndex origin = 0;
    DType dtype = DType::f32;
    Dims strides;  // over the group's space
  };
  std::vector<Place> pointers;
  std::vector<RecordIndex> scalars;    // records whose scalar slot is meant
  std::vector<ScalarValue> constants;  // values of the symbols, behind the scalars
};

struct BoundProgram {
  Program program;  // with the numbers of this trace
  Program code;     // what code is generated for: numbers that differ from the siblings' are symbols
  Binding binding;
  std::vector<int> order;  // the kept dimensions of the group's space as the units walk them, outermost first
};

// A trace, grouped. Siblings are traces that differ in numbers only, grouped alike.
struct GroupedTrace {
  const Trace* trace = nullptr;
  const Grouping* grouping = nullptr;
};

// Throws CompileError where a group that fusion allows has no loop nest here (its records then run alone), or none that it shares
// with the siblings. The first sibling's numbers decide what is a matter of taste, so that all of a family get the same code.
BoundProgram build_program(const GroupedTrace& at_hand, std::span<const GroupedTrace> siblings, const EscapeMask& escapes,
                           int g);

std::string to_string(const Program& program);

}  // namespace swage::jit
