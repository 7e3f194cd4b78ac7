// What a tensor handle points to. A `Value` either owns a storage (a buffer, or the promise of one while the op that produces
// it is deferred) or is a view: a descriptor and an offset into the storage that its `base` owns. One object serves eager and
// deferred values.
//
// A value belongs to the stream that made it. The stream's thread counts its references plainly. References that other threads make
// are counted apart, atomically (`elsewhere`); one that another thread gives up is taken off there, or, where that count has run
// out, handed to the owner as a message. Only the sum means anything, and only the owner brings it to zero: so the owner never waits and
// frees what it allocated. (Choi, Shull and Torrellas, "Biased reference counting", PACT 2018, with messages in place of flags.)
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <runtime/core/view_desc.hpp>

namespace swage {

class Stream;

// What differentiation keeps on a value; defined by the frontend.
struct AutogradMeta {
  // The value dies and has let go of this. A reference to it may come back (frontend/swage/autograd/node.hpp).
  virtual void value_dies() noexcept = 0;
  // Only views hold the value from now on: nobody can ask for its gradient any more, so what keeps the tape alive goes. A reference
  // may come back as above.
  virtual void only_views_remain() noexcept = 0;

 protected:
  ~AutogradMeta() = default;
};

// Where a value stands in the current window: window epoch and record index in one word, so that a stale tag can never match.
using Tag = std::uint64_t;
inline constexpr int kTagIndexBits = 20;
inline constexpr std::uint32_t kMaxWindow = (1u << kTagIndexBits) - 1;
constexpr Tag make_tag(std::uint64_t epoch, std::uint32_t index) { return epoch << kTagIndexBits | index; }
constexpr std::uint64_t epoch_of(Tag tag) { return tag >> kTagIndexBits; }
constexpr std::uint32_t index_of(Tag tag) { return static_cast<std::uint32_t>(tag & kMaxWindow); }

// A field that other threads may read while the owner writes it. As cheap as a plain one.
template <class T>
class Published {
 public:
  Published(T value = {}) : value_(value) {}                             // NOLINT(google-explicit-constructor)
  operator T() const { return value_.load(std::memory_order_acquire); }  // NOLINT(google-explicit-constructor)
  Published& operator=(T value) {
    value_.store(value, std::memory_order_release);
    return *this;
  }
  Published(const Published&) = delete;
  Published& operator=(const Published& other) { return *this = static_cast<T>(other); }
  // Of bits, where another thread may change others meanwhile.
  void set(T bits) { value_.fetch_or(bits, std::memory_order_acq_rel); }
  void clear(T bits) { value_.fetch_and(~bits, std::memory_order_acq_rel); }
  // The same, where none does.
  Published& operator|=(T bits) { return *this = static_cast<T>(*this) | bits; }
  Published& operator&=(T bits) { return *this = static_cast<T>(*this) & bits; }

 private:
  std::atomic<T> value_;
};

struct Value {
  enum Flags : std::uint32_t {
    kPending = 1,   // owner of a storage that is not computed yet: data is null
    kBorrowed = 2,  // the buffer belongs to the user; every op that touches it runs at once
    kExposed = 4,   // the user holds a pointer into the buffer; as borrowed, but ours to free
    kPoisoned = 8,  // the op that should have produced it raised an error
    kRequiresGrad = 16,
    kWatched = 32,        // owners: whether it is ever read is being looked at (runtime/engine/escape_watch.hpp)
    kReadElsewhere = 64,  // owners that are watched: by another stream
  };

  std::uint32_t refs = 1;       // handles, tape, window and views, as the owner counts
  std::uint32_t view_refs = 0;  // owners: of those, views
  Published<std::uint32_t> flags = 0;
  DescId desc = 0;
  std::uint32_t version = 0;  // of the storage (owners only): incremented by every write
  // In-place ops that the tape knows of. Owners: written; views: that count on the base when the view came onto the tape.
  std::uint32_t tape_writes = 0;
  std::atomic<std::uint32_t> elsewhere{0};  // references counted by other threads
  // Owners: which streams besides the value's own have deferred ops on the storage: the number of one, or kSeveral; kWrittenElsewhere
  // beside it where such an op writes. They note it when they defer and never take it back: who must wait for those ops does.
  std::atomic<std::uint32_t> users_elsewhere{0};
  static constexpr std::uint32_t kWrittenElsewhere = 1u << 31, kSeveral = kWrittenElsewhere - 1;
  std::int64_t offset = 0;         // elements from the start of the storage
  Published<Tag> tag = 0;          // the record that produced it, or its input record
  Published<Tag> storage_tag = 0;  // owners: the first record of this window that stands for the storage
  Published<Tag> write_tag = 0;    // owners: the last record that produced or wrote the storage
  Value* base = nullptr;           // views: the owner (counted); null for owners
  void* data = nullptr;            // owners: the buffer
  std::size_t bytes = 0;           // owners: its size
  Stream* stream = nullptr;        // whose it is, and whose window the tags belong to
  AutogradMeta* autograd = nullptr;

  Value* owner() { return base ? base : this; }
  const Value* owner() const { return base ? base : this; }
  const ViewDesc& view() const { return desc_of(desc); }
  bool pending() const { return owner()->flags & kPending; }
  bool runs_at_once() const { return owner()->flags & (kBorrowed | kExposed); }
  // Address of the view's first element; the storage must not be pending.
  void* address() const {
    return static_cast<char*>(owner()->data) + offset * static_cast<std::int64_t>(size_of(view().dtype));
  }
};

// The stream of the calling thread; null before its first op and while it ends.
extern constinit thread_local Stream* this_stream [[gnu::tls_model("initial-exec")]];

// Whether this thread is taking a tape apart: what dies then was held by it.
extern constinit thread_local bool tape_lets_go [[gnu::tls_model("initial-exec")]];

// Free values of this thread, chained through `base`. All of them are as a new value but for their count, identity and tags. Last in,
// first out, so that the next value is warm. Slabs are never given back, so a value may be freed on another thread.
extern constinit thread_local Value* free_values [[gnu::tls_model("initial-exec")]];
void refill_values();  // raises MemoryError

// A value without a storage, of one reference. Tags are those of no record.
inline Value* new_value() {
  if (!free_values) [[unlikely]]
    refill_values();
  Value* const value = free_values;
  free_values = value->base;
  value->refs = 1;
  value->flags = 0;
  value->desc = 0;
  value->tag = value->storage_tag = value->write_tag = 0;
  value->base = nullptr;
  value->stream = this_stream;
  return value;
}
// The owner of a storage that is not computed yet; record `tag` makes it.
[[gnu::always_inline]] inline Value* new_pending_value(DescId desc, Tag tag, Stream* stream) {
  if (!free_values) [[unlikely]]
    refill_values();
  Value* const value = free_values;
  free_values = value->base;
  value->refs = 1;
  value->flags = Value::kPending;
  value->desc = desc;
  value->tag = value->storage_tag = value->write_tag = tag;
  value->base = nullptr;
  value->stream = stream;
  return value;
}

// A reference went and at most views are left: drops the tape, and at zero references frees the buffer, drops the base and tells the
// stream.
void dispose(Value* value) noexcept;

void release_elsewhere(Value* value) noexcept;
inline bool is_mine(const Value& value) { return value.stream == this_stream; }

inline void retain(Value* value) {
  if (is_mine(*value)) [[likely]]
    ++value->refs;
  else
    value->elsewhere.fetch_add(1, std::memory_order_relaxed);
}
inline void release(Value* value) noexcept {
  if (!is_mine(*value)) [[unlikely]]
    release_elsewhere(value);
  else if (--value->refs <= value->view_refs)
    dispose(value);
}
// Whether the caller's reference is the only one, its views' apart.
inline bool is_unique(const Value& value) {
  return is_mine(value) && value.refs == 1 && value.elsewhere.load(std::memory_order_acquire) == 0;
}
// Makes `view`, which is the caller's, a view of `owner`'s storage.
inline void set_base(Value* view, Value* owner) {
  retain(owner);
  if (is_mine(*owner)) ++owner->view_refs;
  view->base = owner;
}

// An owning reference.
class ValueRef {
 public:
  ValueRef() = default;
  static ValueRef adopt(Value* value) { return ValueRef(value); }  // takes over one reference
  static ValueRef share(Value* value) {
    if (value) retain(value);
    return ValueRef(value);
  }
  ValueRef(const ValueRef& other) : value_(other.value_) {
    if (value_) retain(value_);
  }
  ValueRef(ValueRef&& other) noexcept : value_(std::exchange(other.value_, nullptr)) {}
  ValueRef& operator=(ValueRef other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  ~ValueRef() {
    if (value_) release(value_);
  }

  Value* get() const { return value_; }
  Value* operator->() const { return value_; }
  Value& operator*() const { return *value_; }
  explicit operator bool() const { return value_ != nullptr; }
  Value* leak() { return std::exchange(value_, nullptr); }

 private:
  explicit ValueRef(Value* value) : value_(value) {}
  Value* value_ = nullptr;
};

}  // namespace swage
