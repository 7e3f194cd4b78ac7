// A finished window: what ran, without the values. Immutable once made; shared by the engine, the compiler and the inspector.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <runtime/trace/op_record.hpp>

namespace swage {

// One bit a record: the storages that must outlive the window.
class EscapeMask {
 public:
  EscapeMask() = default;
  explicit EscapeMask(std::size_t records) : words_((records + 63) / 64) {}
  bool test(RecordIndex i) const { return words_[i / 64] >> (i % 64) & 1; }
  void set(RecordIndex i) { words_[i / 64] |= std::uint64_t{1} << (i % 64); }
  bool subset_of(const EscapeMask& other) const;
  void merge(const EscapeMask& other);
  std::size_t count() const;
  const std::vector<std::uint64_t>& words() const { return words_; }
  friend bool operator==(const EscapeMask&, const EscapeMask&) = default;

 private:
  std::vector<std::uint64_t> words_;
};

// A run of records with inputs and outputs, the unit of compilation. A segment (the stretch between two cuts) is a list of
// cells; today each segment is one cell.
struct Cell {
  RecordIndex begin = 0;
  RecordIndex end = 0;
};

struct Trace {
  std::uint32_t id = 0;
  std::uint64_t hash = 0;             // of all keys, in order
  std::vector<KeyHalf> keys;          // the last one is the cut
  std::vector<DescId> results;        // descriptor of each record's result
  std::vector<RecordIndex> storages;  // storage of each record's result; its own index where it makes one
  std::vector<RecordIndex> last_use;  // by storage (meaningful at storage records): last record that touches it
  std::vector<CallSite> sites;        // where each record was first issued
  std::vector<Cell> cells;

  std::size_t size() const { return keys.size(); }
  std::size_t n_ops() const;  // primitives: all but input and cut records
  bool is_input(RecordIndex i) const { return keys[i].op == Op::input; }
  // The record that operand `k` of record `i` names.
  RecordIndex operand(RecordIndex i, int k) const { return i - static_cast<RecordIndex>(keys[i].operands[k].ref); }
};

// Fills results' storages, last uses, cells and the hash from keys and results.
void complete(Trace& trace);

// The storage of record `i`'s result, given those of the records before it.
RecordIndex storage_of(const KeyHalf& key, RecordIndex i, const std::vector<RecordIndex>& storages);

// Text form, and back. Parsing interns what it reads; `parse(print(t))` has the keys and results of `t`. Raises ValueError
// with the line that is wrong. The mask, if given, is printed and parsed as the list of escaping storages.
std::string print(const Trace& trace, const EscapeMask* escapes = nullptr);
Trace parse_trace(std::string_view text, EscapeMask* escapes = nullptr);
std::string print_record(const Trace& trace, RecordIndex i);

}  // namespace swage
