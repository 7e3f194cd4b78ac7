#include <jit/cache/code_cache.hpp>

namespace swage::jit {

NativeFunction CodeCache::find(std::string_view key) {
  const std::lock_guard lock(mutex_);
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return {};
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->function;
}

void CodeCache::add(const std::string& key, const NativeFunction& function) {
  const std::lock_guard lock(mutex_);
  if (by_key_.contains(key)) return;
  entries_.push_front({key, function});
  by_key_.emplace(entries_.front().key, entries_.begin());
  bytes_ += function.pages->bytes();
  while (entries_.size() > limits_.programs || (bytes_ > limits_.bytes && entries_.size() > 1)) drop_oldest();
}

void CodeCache::drop_oldest() {
  const Entry& oldest = entries_.back();
  bytes_ -= oldest.function.pages->bytes();
  by_key_.erase(oldest.key);
  entries_.pop_back();
}

void CodeCache::clear() {
  const std::lock_guard lock(mutex_);
  by_key_.clear();
  entries_.clear();
  bytes_ = 0;
}

std::size_t CodeCache::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace swage::jit
