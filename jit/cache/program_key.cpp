#include <jit/cache/program_key.hpp>

#include <bit>

namespace swage::jit {
namespace {

// Every struct is taken apart by a structured binding, so that a new member does not compile until it is part of the key.
class Writer {
 public:
  template <class T>
    requires std::is_integral_v<T> || std::is_enum_v<T>
  void add(T value) {
    auto word = static_cast<std::uint64_t>(value);
    // Small numbers are most of a key: seven bits a byte, signs folded in.
    word = word << 1 ^ (word >> 63 ? ~std::uint64_t{0} : 0);
    for (; word >= 0x80; word >>= 7) text_.push_back(static_cast<char>(word | 0x80));
    text_.push_back(static_cast<char>(word));
  }
  void add(double value) {
    const auto bits = std::bit_cast<std::uint64_t>(value);
    add(bits >> 32);
    add(bits & 0xFFFFFFFF);
  }
  void add(const Dims& dims) {
    add(dims.rank());
    for (std::int64_t extent : dims) add(extent);
  }
  void add(const Pointer& pointer) {
    const auto& [dtype, outer, inner, vector, written] = pointer;
    add_all(dtype, outer, inner, vector, written);
  }
  void add(const Node& node) {
    const auto& [kind, op, dtype, level, scalar_class, index, pass, kept_from, real, args] = node;
    add_all(kind, op, dtype, level, scalar_class, index, pass, kept_from, real, args[0], args[1], args[2]);
  }
  void add(const Store& store) {
    const auto& [pointer, node, pass, past_cache] = store;
    add_all(pointer, node, pass, past_cache);
  }
  template <class T>
  void add(const std::vector<T>& values) {
    add(values.size());
    for (const T& value : values) add(value);
  }
  template <class... Parts>
  void add_all(const Parts&... parts) {
    (add(parts), ...);
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

}  // namespace

std::string program_key(const Program& program) {
  const auto& [form, outer, inner, columns, strip, split, passes, n_scalars, n_symbols, pointers, nodes, stores] = program;
  Writer writer;
  writer.add_all(form, outer, inner, columns, strip, split, passes, n_scalars, n_symbols, pointers, nodes, stores);
  return writer.take();
}

}  // namespace swage::jit
