#include <runtime/engine/event_log.hpp>

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include <runtime/engine/engine.hpp>

namespace swage {

std::uint64_t nanoseconds_since_start() {
  static const auto start = std::chrono::steady_clock::now();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - start).count());
}

void EventLog::add(EventCode code, std::uint32_t trace, std::uint32_t position, std::uint32_t value, const KeyHalf& key) {
  const Event event{nanoseconds_since_start(), code, trace, position, value, key};
  std::lock_guard lock(mutex_);
  Ring& ring = code == EventCode::hit ? hits_ : decisions_;
  if (ring.events.size() < kCapacity)
    ring.events.push_back(event);
  else
    ring.events[ring.total % kCapacity] = event;
  ++ring.total;
}

std::vector<Event> EventLog::events() const {
  std::lock_guard lock(mutex_);
  std::vector<Event> events = decisions_.events;
  events.insert(events.end(), hits_.events.begin(), hits_.events.end());
  std::ranges::stable_sort(events, {}, &Event::ns);
  return events;
}

std::uint64_t EventLog::total() const {
  std::lock_guard lock(mutex_);
  return decisions_.total + hits_.total;
}

void EventLog::remark(std::string text) {
  constexpr std::size_t kMostRemarks = 256;
  const std::lock_guard lock(mutex_);
  if (std::ranges::find(remarks_, text) != remarks_.end()) return;
  if (remarks_.size() == kMostRemarks) remarks_.erase(remarks_.begin());
  remarks_.push_back(std::move(text));
}

std::vector<std::string> EventLog::remarks() const {
  const std::lock_guard lock(mutex_);
  return remarks_;
}

void EventLog::clear_remarks() {
  const std::lock_guard lock(mutex_);
  remarks_.clear();
}

EventLog& event_log() {
  static auto* log = new EventLog;
  return *log;
}

std::string describe_difference(const KeyHalf& expected, const KeyHalf& got) {
  const auto differs = [](std::string_view field, auto&& was, auto&& is) {
    return fmt::format("{}: {} instead of {}", field, is, was);
  };
  const auto name = [](const KeyHalf& key) { return fmt::format("{}{}", name_of(key.op), key.in_place() ? "_" : ""); };
  if (expected.op != got.op || expected.flags != got.flags) return differs("op", name(expected), name(got));
  if (expected.attr != got.attr) {
    const auto text = [](AttrId id) {
      const Attribute& attribute = attribute_of(id);
      return fmt::format("{{{}}} real={} {}", fmt::join(attribute.ints, ","), attribute.real, name_of(attribute.dtype));
    };
    return differs("attribute", text(expected.attr), text(got.attr));
  }
  for (int k = 0; k < 3; ++k) {
    const OperandKey &was = expected.operands[k], &is = got.operands[k];
    if (was == is) continue;
    const auto kind = [](const OperandKey& operand) {
      return operand.is_tensor()          ? fmt::format("the value {} records before", operand.ref)
             : operand.ref == kScalarSlot ? std::string("a scalar")
             : operand.ref == kLiteral    ? std::string("a literal")
                                          : std::string("a new storage");
    };
    const bool shaped = expected.op == Op::input || (was.is_tensor() && is.is_tensor());
    if (shaped && was.desc != is.desc)
      return differs(fmt::format("operand {}", k), to_string(desc_of(was.desc)), to_string(desc_of(is.desc)));
    return differs(fmt::format("operand {}", k), kind(was), kind(is));
  }
  return "nothing";
}

}  // namespace swage
