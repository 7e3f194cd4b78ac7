// The text form of a trace. One record a line:
//
//   %4 = add_(%1, slot f64) {ints} dtype=f64 : f32[2,3]
//
// Literal operands are written as numbers, integers with a trailing i; an underscore marks an in-place record; strides follow a
// colon where they are not row-major. The cut has no result. Escaping storages follow on a last line.
#include <charconv>
#include <cstdlib>

#include <fmt/format.h>

#include <runtime/core/error.hpp>
#include <runtime/trace/trace.hpp>

namespace swage {
namespace {

class Parser {
 public:
  Parser(std::string_view text, EscapeMask* escapes) : text_(text), escapes_(escapes) {}

  Trace parse() {
    while (!text_.empty()) {
      const std::size_t end = std::min(text_.find('\n'), text_.size());
      rest_ = text_.substr(0, end);
      text_.remove_prefix(std::min(end + 1, text_.size()));
      ++line_;
      skip();
      if (rest_.empty() || rest_.front() == '#' || accept("trace") || accept("}")) continue;
      if (accept("escapes"))
        escapes();
      else
        record();
    }
    if (trace_.keys.empty() || trace_.keys.back().op != Op::cut) error("a cut record at the end");
    complete(trace_);
    if (escapes_) {
      *escapes_ = EscapeMask(trace_.size());
      for (RecordIndex i : escaping_) escapes_->set(i);
    }
    return std::move(trace_);
  }

 private:
  [[noreturn]] void error(std::string_view wanted) const {
    raise<ValueError>({}, "trace text, line {}: {} expected at \"{}\"", line_, wanted, rest_.substr(0, 40));
  }
  void skip() {
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t' || rest_.front() == '\r')) rest_.remove_prefix(1);
  }
  bool accept(std::string_view token) {
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    skip();
    return true;
  }
  void expect(std::string_view token) {
    if (!accept(token)) error(token);
  }
  std::int64_t integer() {
    std::int64_t value = 0;
    const auto [end, ec] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (ec != std::errc{}) error("an integer");
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    skip();
    return value;
  }
  std::string_view word() {
    std::size_t n = 0;
    while (n < rest_.size() && (std::isalnum(static_cast<unsigned char>(rest_[n])) || rest_[n] == '_')) ++n;
    if (n == 0) error("a name");
    const std::string_view word = rest_.substr(0, n);
    rest_.remove_prefix(n);
    skip();
    return word;
  }
  DType dtype() {
    const std::string_view name = word();
    for (int i = 0; i < kDTypes; ++i)
      if (name_of(static_cast<DType>(i)) == name) return static_cast<DType>(i);
    error("bool, i64, f32 or f64");
  }
  RecordIndex reference() {
    expect("%");
    const std::int64_t index = integer();
    if (index < 0 || index >= static_cast<std::int64_t>(trace_.size())) error("a record above this one");
    return static_cast<RecordIndex>(index);
  }
  Dims dims_until(std::string_view stops) {
    Dims dims;
    while (!rest_.empty() && stops.find(rest_.front()) == std::string_view::npos) {
      dims.push_back(integer());
      if (!accept(",")) break;
    }
    return dims;
  }
  DescId descriptor() {
    ViewDesc desc;
    desc.dtype = dtype();
    expect("[");
    desc.dims = dims_until(":]");
    desc.strides = contiguous_strides(desc.dims);
    if (accept(":")) desc.strides = dims_until("]");
    if (desc.strides.rank() != desc.dims.rank()) error("as many strides as extents");
    expect("]");
    return intern(desc);
  }
  void operand(KeyHalf& key, Attribute& attribute) {
    if (key.n_operands == 3) error("at most three operands");
    OperandKey& operand = key.operands[key.n_operands++];
    const auto here = static_cast<RecordIndex>(trace_.size());
    if (rest_.starts_with("%")) {
      const RecordIndex index = reference();
      operand = {static_cast<std::int32_t>(here - index), trace_.results[index]};
    } else if (accept("slot")) {
      operand = {kScalarSlot, static_cast<DescId>(dtype())};
    } else {
      const std::string number(rest_.substr(0, rest_.find_first_of(",)")));
      char* end = nullptr;
      attribute.real = std::strtod(number.c_str(), &end);
      if (end == number.c_str()) error("an operand");
      rest_.remove_prefix(static_cast<std::size_t>(end - number.c_str()));
      operand = {kLiteral, static_cast<DescId>(accept("i") ? DType::i64 : DType::f64)};
      skip();
    }
  }
  void record() {
    KeyHalf key;
    Attribute attribute;
    DescId result = 0;
    const bool has_result = rest_.starts_with("%");
    if (has_result) {
      expect("%");
      if (integer() != static_cast<std::int64_t>(trace_.size())) error(fmt::format("%{}", trace_.size()));
      expect("=");
    }
    std::string_view name = word();
    if (name.size() > 1 && name.back() == '_') {
      key.flags = KeyHalf::kInPlace;
      name.remove_suffix(1);
    }
    const auto op = op_by_name(name);
    if (!op || (*op == Op::cut) == has_result) error("an op");
    key.op = *op;
    RecordIndex alias = 0;
    if (key.op == Op::input && accept("at_once")) key.flags |= KeyHalf::kAtOnce;
    const bool aliases = key.op == Op::input && accept("alias");
    if (aliases) alias = reference();
    if (key.op != Op::input && key.op != Op::cut) {
      expect("(");
      while (!accept(")")) {
        operand(key, attribute);
        if (!accept(",") && !rest_.starts_with(")")) error(", or )");
      }
    }
    if (accept("{")) {
      while (!accept("}")) {
        attribute.ints.push_back(integer());
        accept(",");
      }
    }
    if (accept("dtype=")) attribute.dtype = dtype();
    if (has_result) {
      expect(":");
      result = descriptor();
    }
    if (key.op == Op::input) {
      key.n_operands = 1;
      key.operands[0] = {aliases ? static_cast<std::int32_t>(trace_.size() - alias) : 0, result};
    }
    if (!rest_.empty()) error("the end of the line");
    key.attr = intern(attribute);
    trace_.keys.push_back(key);
    trace_.results.push_back(result);
  }
  void escapes() {
    while (!rest_.empty()) escaping_.push_back(reference());
  }

  std::string_view text_, rest_;
  EscapeMask* escapes_;
  std::vector<RecordIndex> escaping_;
  Trace trace_;
  int line_ = 0;
};

}  // namespace

std::string print_record(const Trace& trace, RecordIndex i) {
  const KeyHalf& key = trace.keys[i];
  const Attribute& attribute = attribute_of(key.attr);
  std::string text;
  auto out = std::back_inserter(text);
  if (key.op != Op::cut) fmt::format_to(out, "%{} = ", i);
  fmt::format_to(out, "{}{}", name_of(key.op), key.in_place() ? "_" : "");
  if (key.op == Op::input) {
    if (key.flags & KeyHalf::kAtOnce) fmt::format_to(out, " at_once");
    if (key.operands[0].ref > 0) fmt::format_to(out, " alias %{}", trace.operand(i, 0));
  } else if (key.op != Op::cut) {
    fmt::format_to(out, "(");
    for (int k = 0; k < key.n_operands; ++k) {
      const OperandKey& operand = key.operands[k];
      if (k) fmt::format_to(out, ", ");
      if (operand.is_tensor())
        fmt::format_to(out, "%{}", trace.operand(i, k));
      else if (operand.ref == kScalarSlot)
        fmt::format_to(out, "slot {}", name_of(static_cast<DType>(operand.desc)));
      else
        fmt::format_to(out, "{}{}", attribute.real, static_cast<DType>(operand.desc) == DType::i64 ? "i" : "");
    }
    fmt::format_to(out, ")");
  }
  if (!attribute.ints.empty()) fmt::format_to(out, " {{{}}}", fmt::join(attribute.ints, ","));
  if (attribute.dtype != DType::f32) fmt::format_to(out, " dtype={}", name_of(attribute.dtype));
  if (key.op != Op::cut) fmt::format_to(out, " : {}", to_string(desc_of(trace.results[i])));
  return text;
}

std::string print(const Trace& trace, const EscapeMask* escapes) {
  std::string text = "trace {\n";
  for (RecordIndex i = 0; i < trace.size(); ++i) text += fmt::format("  {}\n", print_record(trace, i));
  text += "}\n";
  if (escapes) {
    text += "escapes";
    for (RecordIndex i = 0; i < trace.size(); ++i)
      if (escapes->test(i)) text += fmt::format(" %{}", i);
    text += "\n";
  }
  return text;
}

Trace parse_trace(std::string_view text, EscapeMask* escapes) { return Parser(text, escapes).parse(); }

}  // namespace swage
