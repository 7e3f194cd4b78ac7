// The hot half of a stream: what recording an op reads and writes while the program does what a known path expects. The op is
// compared with the expected record in scalars, before anything is stored; if it matches, only the result, the call site and the
// scalar are written. Whatever does not match, or is more than that, goes to `Stream::emit`.
//
// Between ops the recorder always says what is true: `next` is the record that the path expects after the last one, and a record
// that nothing matches where ops are not deferred. So a fast path needs no other test than the comparison.
#pragma once

#include <atomic>
#include <cstdint>

#include <runtime/engine/value_halves.hpp>
#include <runtime/trace/op_record.hpp>

namespace swage {

// What a known path expects of a record, and what comes of it.
struct alignas(8) ExpectedRecord {
  KeyHalf key;
  DescId result = 0;
};
static_assert(sizeof(ExpectedRecord) == 40);

struct KnownTrace;

// Matches no op.
extern const ExpectedRecord kNothingExpected;

struct Recorder {
  const ExpectedRecord* next = &kNothingExpected;
  Tag next_tag = ~Tag{0};   // of the next record
  ValueHalves values;       // there is room for every record that `next` reaches
  Tag first_tag = ~Tag{0};  // of the window's first record; both out of reach between windows
  Stream* stream = nullptr;
  KnownTrace* path = nullptr;  // that `next` belongs to

  // Whether ops are deferred as long as they are what is expected.
  bool follows() const { return next != &kNothingExpected; }

  // Another thread that needs what this stream has deferred revokes the window and waits until its thread is not inside the engine
  // (StreamRegistry::settle). The owner pays two plain stores and a load for that: the other side makes itself heard with
  // membarrier(2), so the owner needs no fence.
  std::atomic<int> depth{0};  // of the thread's calls into the engine
  std::atomic<bool> revoked{false};

  // The head of a key in one word: op, number of operands, flags, attribute.
  static constexpr std::uint64_t head(Op op, int n_operands, std::uint8_t flags = 0, AttrId attr = 0) {
    return static_cast<std::uint64_t>(op) | static_cast<std::uint64_t>(n_operands) << 16 | std::uint64_t{flags} << 24 |
           std::uint64_t{attr} << 32;
  }

  // Zero where the path expects such a head; such an operand.
  std::uint64_t differs(std::uint64_t head) const { return std::bit_cast<KeyHalf::Words>(next->key).w[0] ^ head; }
  std::uint64_t differs(int k, const Value& value) const {
    // A tag of another window is further away than any operand: its distance differs in the high half.
    const OperandKey& want = next->key.operands[k];
    return ((next_tag - value.tag) ^ static_cast<std::uint64_t>(std::int64_t{want.ref})) | (value.desc ^ want.desc);
  }
  std::uint64_t differs(int k, OperandKey scalar) const {
    return std::bit_cast<std::uint64_t>(next->key.operands[k]) ^ std::bit_cast<std::uint64_t>(scalar);
  }

  // The next record is taken: the ways to say what it results in. The caller has compared.
  [[gnu::always_inline]] ValueHalf& take(Value* result, CallSite site) {
    ValueHalf& half = values.take();
    half.result = result;
    half.site = site;
    ++next;
    ++next_tag;
    return half;
  }
  // A storage of its own.
  [[gnu::always_inline]] Value* defer(CallSite site) {
    Value* const value = new_pending_value(next->result, next_tag, stream);
    take(value, site);
    return value;
  }
  [[gnu::always_inline]] Value* defer(CallSite site, ScalarValue scalar) {
    Value* const value = new_pending_value(next->result, next_tag, stream);
    take(value, site).scalar = scalar;
    return value;
  }
  // A view of `from`, which starts `offset` elements into the storage.
  Value* defer_view(Value& from, std::int64_t offset, CallSite site) {
    Value* const value = new_value();
    value->desc = next->result;
    value->tag = next_tag;
    value->offset = offset;
    set_base(value, from.owner());
    take(value, site).offset = offset;
    return value;
  }
  // Whether no other stream may have deferred ops on the storage.
  bool has_alone(const Value& owner) const {
    return owner.stream == stream && owner.users_elsewhere.load(std::memory_order_acquire) == 0;
  }
  // Written in place: `target` moves to the writing record, and the entry of its older version is cleared, but for inputs. A new
  // reference is returned.
  Value* defer_in_place(Value* target, CallSite site, ScalarValue scalar) {
    const auto before = static_cast<std::uint32_t>(target->tag - first_tag);
    if ((next - (next_tag - first_tag) + before)->key.op != Op::input) values[before].result = nullptr;
    Value& owner = *target->owner();
    ++owner.version;
    owner.write_tag = next_tag;
    target->tag = next_tag;
    retain(target);
    take(target, site).scalar = scalar;
    return target;
  }
  // Enters a value from outside if that is what the path expects now and nothing about its storage is unusual.
  bool enter(Value& value, CallSite site) {
    Value& owner = *value.owner();
    if (value.stream != stream || owner.stream != stream) return false;
    const std::uint64_t storage = owner.storage_tag - first_tag, here = next_tag - first_tag;
    const OperandKey operand{storage < here ? static_cast<std::int32_t>(here - storage) : 0, value.desc};
    if (differs(head(Op::input, 1)) | differs(0, operand)) return false;
    if (owner.flags & (Value::kPending | Value::kBorrowed | Value::kExposed | Value::kPoisoned)) return false;
    if (owner.users_elsewhere.load(std::memory_order_acquire) & Value::kWrittenElsewhere) [[unlikely]]
      return false;
    value.tag = next_tag;
    if (storage >= here) owner.storage_tag = next_tag;
    retain(&value);
    take(&value, site).offset = value.offset;
    return true;
  }
  // The next n records are taken; the caller has filled in their value halves, `values.end()` and on.
  void take(std::size_t n) {
    values.take(n);
    next += n;
    next_tag += n;
  }
  bool inside(const Value& value) const { return value.tag - first_tag < next_tag - first_tag; }

  // A value of this stream dies: the entry of its record is cleared.
  [[gnu::always_inline]] void forget(const Value* value) noexcept {
    const std::uint64_t index = value->tag - first_tag;
    if (index < values.size() && values[index].result == value) values[index].result = nullptr;
  }
};

// Of the calling thread's stream; of nobody before a thread's first op.
extern constinit thread_local Recorder* recorder [[gnu::tls_model("initial-exec")]];
void use_recorder(Recorder* of_stream);  // from now on the thread's own; null: nobody's
void act_for(Recorder& of_stream);       // until told otherwise

// That of the thread itself, while `recorder` may be one that it acts for.
extern constinit thread_local Recorder* own_recorder [[gnu::tls_model("initial-exec")]];

// Nobody else touches the calling thread's window while one lives.
class Engaged {
 public:
#ifdef __SANITIZE_THREAD__  // which does not know membarrier
  static constexpr auto kStore = std::memory_order_seq_cst, kLoad = std::memory_order_seq_cst;
#else
  static constexpr auto kStore = std::memory_order_relaxed, kLoad = std::memory_order_acquire;
#endif

  [[gnu::always_inline]] Engaged() : recorder_(*own_recorder) {
    const int depth = recorder_.depth.load(std::memory_order_relaxed);
    recorder_.depth.store(depth + 1, kStore);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    if (depth == 0 && recorder_.revoked.load(kLoad)) [[unlikely]]
      wait();
  }
  [[gnu::always_inline]] ~Engaged() {
    recorder_.depth.store(recorder_.depth.load(std::memory_order_relaxed) - 1, std::memory_order_release);
  }
  Engaged(const Engaged&) = delete;
  Engaged& operator=(const Engaged&) = delete;

 private:
  [[gnu::noinline]] void wait() noexcept;
  Recorder& recorder_;
};

}  // namespace swage
