// What a tensor handle points to. A `Value` either owns a storage (a buffer, or the promise of one while the op that produces
// it is deferred) or is a view: a descriptor and an offset into the storage that its `base` owns. One object serves eager and
// deferred values. Reference counts are plain: a value belongs to the thread of its stream.
#pragma once

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

struct Value {
  enum Flags : std::uint32_t {
    kPending = 1,   // owner of a storage that is not computed yet: data is null
    kBorrowed = 2,  // the buffer belongs to the user; every op that touches it runs at once
    kExposed = 4,   // the user holds a pointer into the buffer; as borrowed, but ours to free
    kPoisoned = 8,  // the op that should have produced it raised an error
    kRequiresGrad = 16,
  };

  std::uint32_t refs = 1;       // handles, tape, window and views
  std::uint32_t view_refs = 0;  // owners: of those, views
  std::uint32_t flags = 0;
  DescId desc = 0;
  std::uint32_t version = 0;  // of the storage (owners only): incremented by every write
  // In-place ops that the tape knows of. Owners: written; views: that count on the base when the view came onto the tape.
  std::uint32_t tape_writes = 0;
  std::int64_t offset = 0;   // elements from the start of the storage
  Tag tag = 0;               // the record that produced it, or its input record
  Tag storage_tag = 0;       // owners: the first record of this window that stands for the storage
  Tag write_tag = 0;         // owners: the last record that produced or wrote the storage
  Value* base = nullptr;     // views: the owner (counted); null for owners
  void* data = nullptr;      // owners: the buffer
  std::size_t bytes = 0;     // owners: its size
  Stream* stream = nullptr;  // whose window the tags belong to
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
  value->stream = nullptr;
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

inline void retain(Value* value) { ++value->refs; }
inline void release(Value* value) noexcept {
  if (--value->refs <= value->view_refs) dispose(value);
}
// Makes `view` a view of `owner`'s storage.
inline void set_base(Value* view, Value* owner) {
  retain(owner);
  ++owner->view_refs;
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
