#include <swage/data/batches.hpp>

#include <cstring>
#include <numeric>

#include <runtime/core/allocator.hpp>
#include <runtime/core/error.hpp>
#include <swage/detail/call.hpp>

namespace swage::data {

Batches::Batches(std::int64_t rows, std::int64_t batch, std::uint64_t seed) : rows_(rows), batch_(batch), random_(seed) {
  if (batch < 1 || batch > rows)
    raise<ValueError>(SiteScope::or_else({}), "[Batches] the batch must be from 1 to the {} rows there are, not {}", rows,
                      batch);
  shuffle_epoch();
}

void Batches::shuffle_epoch() {
  position_ = {random_.state(), 0};
  order_.resize(static_cast<std::size_t>(rows_));
  std::iota(order_.begin(), order_.end(), 0);
  shuffle(order_, random_);
}

std::vector<std::int64_t> Batches::next() {
  if (position_.next + batch_ > rows_) shuffle_epoch();
  const auto begin = order_.begin() + position_.next;
  position_.next += batch_;
  return {begin, begin + batch_};
}

void Batches::set_position(BatchPosition position) {
  if (position.next < 0 || position.next > rows_)
    raise<ValueError>(SiteScope::or_else({}), "[Batches] a position of {} does not fit {} rows", position.next, rows_);
  random_.set_state(position.epoch_seed);
  shuffle_epoch();
  position_.next = position.next;
}

Split split(std::int64_t rows, double held_out_share, std::uint64_t seed) {
  if (rows < 0 || !(held_out_share >= 0 && held_out_share <= 1))
    raise<ValueError>(SiteScope::or_else({}), "[split] the share must be from 0 to 1, not {}", held_out_share);
  std::vector<std::int64_t> order(static_cast<std::size_t>(rows));
  std::iota(order.begin(), order.end(), 0);
  HostRandom random(seed);
  shuffle(order, random);
  const auto held_out = order.begin() + static_cast<std::int64_t>(static_cast<double>(rows) * held_out_share);
  return {.train = {held_out, order.end()}, .held_out = {order.begin(), held_out}};
}

Tensor take_rows(const Tensor& source, const std::vector<std::int64_t>& rows) {
  const SiteScope scope(caller());
  const CallSite site = SiteScope::or_else({});
  detail::require_defined(site, "take_rows", source);
  if (source.dim() < 1 || !source.is_contiguous())
    raise<ShapeError>(site, "[take_rows] needs a contiguous tensor of at least 1 dimension, not {}", to_string(source.sizes()));
  const std::int64_t available = source.sizes()[0];
  for (std::int64_t row : rows)
    if (row < 0 || row >= available)
      raise<IndexError>(site, "[take_rows] row {} is out of range: there are {}", row, available);
  detail::stream().read(*source.value(), site);
  Dims sizes = source.sizes();
  sizes[0] = 1;
  const auto row_bytes = static_cast<std::size_t>(sizes.product()) * size_of(source.dtype());
  sizes[0] = static_cast<std::int64_t>(rows.size());
  const std::size_t bytes = row_bytes * rows.size();
  char* buffer = static_cast<char*>(allocate_buffer(bytes));
  const char* from = static_cast<const char*>(source.value()->address());
  for (std::size_t i = 0; i < rows.size(); ++i)
    std::memcpy(buffer + i * row_bytes, from + static_cast<std::size_t>(rows[i]) * row_bytes, row_bytes);
  return Tensor(detail::stream().adopt_buffer(buffer, bytes, intern(source.dtype(), sizes), true));
}

}  // namespace swage::data
