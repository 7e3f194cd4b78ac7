#include <swage/row_store.hpp>

#include <algorithm>
#include <cstring>

#include <kernels/cpu/contraction.hpp>
#include <runtime/core/allocator.hpp>
#include <runtime/engine/recorder.hpp>
#include <swage/autograd/grad_mode.hpp>
#include <swage/detail/call.hpp>

namespace swage {
namespace {

// A view of the calling thread's storage that no window knows: it enters one by its own extents, whatever the storage's are.
Tensor place(const Tensor& storage, std::int64_t offset, const Dims& sizes) {
  const Engaged engaged;
  Value& owner = *storage.value()->owner();
  ValueRef view = ValueRef::adopt(new_value());
  view->desc = intern(owner.view().dtype, sizes);
  view->offset = offset;
  set_base(view.get(), &owner);
  return Tensor(std::move(view));
}

// What the host may read.
const char* bytes_of(CallSite site, const Tensor& tensor) {
  detail::stream().read(*tensor.value(), site);
  return static_cast<const char*>(tensor.value()->address());
}

// The k greatest so far, the least of them on top.
template <class T>
struct Best {
  struct Entry {
    T product;
    std::int64_t index;
    friend bool operator<(const Entry& a, const Entry& b) {
      return a.product > b.product || (a.product == b.product && a.index < b.index);
    }
  };
  std::vector<Entry> heap;

  Best(const T* products, std::int64_t n, std::int64_t k) {
    heap.reserve(static_cast<std::size_t>(k));
    for (std::int64_t i = 0; i < n; ++i) {
      if (static_cast<std::int64_t>(heap.size()) < k) {
        if (products[i] != products[i]) continue;
        heap.push_back({products[i], i});
      } else {
        if (!(products[i] > heap.front().product)) continue;
        std::pop_heap(heap.begin(), heap.end());
        heap.back() = {products[i], i};
      }
      std::push_heap(heap.begin(), heap.end());
    }
    std::sort_heap(heap.begin(), heap.end());
  }
};

}  // namespace

RowStore::RowStore(std::int64_t width, DType dtype) : width_(width), dtype_(dtype) {
  const CallSite site = SiteScope::or_else(caller());
  if (width < 1) raise<ValueError>(site, "[RowStore] a row has at least one element, not {}", width);
  if (!is_float(dtype)) raise<DTypeError>(site, "[RowStore] rows are of f32 or f64, not of {}", name_of(dtype));
}

void RowStore::grow(CallSite site, std::int64_t wanted) {
  constexpr std::int64_t kFirst = 64;
  const std::int64_t capacity = std::max({kFirst, 2 * capacity_, wanted});
  const std::size_t row = static_cast<std::size_t>(width_) * size_of(dtype_);
  const std::size_t bytes = static_cast<std::size_t>(capacity) * row;
  const char* const old = size_ > 0 ? bytes_of(site, storage_) : nullptr;
  auto* const data = static_cast<char*>(allocate_buffer(bytes));
  if (old) std::memcpy(data, old, static_cast<std::size_t>(size_) * row);
  std::memset(data + static_cast<std::size_t>(size_) * row, 0, bytes - static_cast<std::size_t>(size_) * row);
  storage_ = Tensor(detail::stream().adopt_buffer(data, bytes, intern(dtype_, {capacity, width_}), true));
  capacity_ = capacity;
}

void RowStore::append(const Tensor& row) {
  const SiteScope scope(caller());
  const CallSite site = SiteScope::or_else({});
  detail::require_defined(site, "append", row, "the row");
  if (row.dtype() != dtype_)
    raise<DTypeError>(site, "[append] a store of {} takes no rows of {}; convert them with to()", name_of(dtype_),
                      name_of(row.dtype()));
  if (row.dim() < 1 || row.dim() > 2 || row.size(-1) != width_)
    raise<ShapeError>(site, "[append] a store of rows of {} takes shapes {} and m×{}, not {}", width_, width_, width_,
                      to_string(row.sizes()));
  const std::int64_t more = row.dim() == 2 ? row.size(0) : 1;
  if (more == 0) return;
  if (size_ + more > capacity_) grow(site, size_ + more);
  const NoGradGuard no_grad;
  detail::call_in_place(site, Op::assign, {place(storage_, size_ * width_, row.sizes()), row});
  size_ += more;
}

Tensor RowStore::rows() const {
  const SiteScope scope(caller());
  if (size_ == 0) return detail::full({}, {0, width_}, Scalar::literal(0.0), dtype_);
  return storage_.narrow(0, 0, size_);
}

RowStore::Found RowStore::nearest(const Tensor& query, std::int64_t k) const {
  const SiteScope scope(caller());
  const CallSite site = SiteScope::or_else({});
  detail::require_defined(site, "nearest", query, "the query");
  if (query.dtype() != dtype_)
    raise<DTypeError>(site, "[nearest] the query is of {}, the rows of {}", name_of(query.dtype()), name_of(dtype_));
  if (query.numel() != width_ || !query.is_contiguous())
    raise<ShapeError>(site, "[nearest] rows of {} need a contiguous query of as many elements, not of shape {}", width_,
                      to_string(query.sizes()));
  if (k < 1) raise<ValueError>(site, "[nearest] at least one row must be asked for, not {}", k);
  Found found;
  if (size_ == 0) return found;
  const char* const data = bytes_of(site, query);
  const char* const rows = bytes_of(site, storage_);
  return visit(dtype_, [&]<class T>(T) {
    if constexpr (std::is_floating_point_v<T>) {
      thread_local std::vector<T> products;
      products.resize(static_cast<std::size_t>(capacity_));
      // The kernel that every product of a matrix and a vector goes through.
      const ViewDesc matrix{dtype_, {size_, width_}, {width_, 1}}, vector{dtype_, {width_, 1}, {1, 1}};
      const ViewDesc result{dtype_, {size_, 1}, {1, 1}};
      KernelArgs args;
      args.operands[0] = {const_cast<char*>(rows), &matrix};
      args.operands[1] = {const_cast<char*>(data), &vector};
      args.result = {products.data(), &result};
      run_matmul(args);
      for (const auto& [product, index] : Best<T>(products.data(), size_, k).heap) {
        found.index.push_back(index);
        found.product.push_back(static_cast<double>(product));
      }
    }
    return std::move(found);
  });
}

Tensor RowStore::take(const std::vector<std::int64_t>& index, std::int64_t count) const {
  const SiteScope scope(caller());
  const CallSite site = SiteScope::or_else({});
  const std::int64_t n = std::max(count, static_cast<std::int64_t>(index.size()));
  const std::size_t row = static_cast<std::size_t>(width_) * size_of(dtype_);
  const std::size_t bytes = static_cast<std::size_t>(n) * row;
  for (const std::int64_t i : index)
    if (i < 0 || i >= size_) raise<IndexError>(site, "[take] there is no row {}: the store has {}", i, size_);
  const char* const rows = index.empty() ? nullptr : bytes_of(site, storage_);
  auto* const data = static_cast<char*>(allocate_buffer(bytes));
  char* to = data;
  for (const std::int64_t i : index) {
    std::memcpy(to, rows + static_cast<std::size_t>(i) * row, row);
    to += row;
  }
  std::memset(to, 0, bytes - static_cast<std::size_t>(to - data));
  return Tensor(detail::stream().adopt_buffer(data, bytes, intern(dtype_, {n, width_}), true));
}

}  // namespace swage
