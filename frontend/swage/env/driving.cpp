#include <swage/env/driving.hpp>

#include <algorithm>
#include <cmath>

namespace swage::env {
namespace {

constexpr double kFaster = 4, kSlower = 8;    // m/s² at full throttle and full brake
constexpr double kTightest = 5.5, kHold = 8;  // radius at full lock (m), sideways acceleration (m/s²)
constexpr double kCrash = 10;
constexpr double kNumbers = 0x1p53;  // numbers of tracks are whole and exact in a double
constexpr std::size_t kNumber = 0, kX = 1, kY = 2, kHeading = 3, kSpeed = 4;

}  // namespace

Driving::Driving()
    : Environment(Space::box(static_cast<std::int64_t>(kRays.size()) + 1, 0, 1), Space::box(2, -1, 1), 5, 1000) {}

void Driving::begin(std::vector<double>& state, Random& random) {
  state[kNumber] = static_cast<double>(random.next() >> 11);
  entered(state);
  const double along = uniform(random, 0, track_->length());
  const Point on = track_->point_at(along);
  const double heading = track_->nearest(on).heading, aside = uniform(random, -1, 1);
  state = {state[kNumber], on.x - aside * std::sin(heading), on.y + aside * std::cos(heading),
           heading + uniform(random, -0.1, 0.1), uniform(random, kSlowest, 8)};
}

Environment::Outcome Driving::advance(std::vector<double>& state, std::span<const double> action, Random&) {
  const double speed =
      std::clamp(state[kSpeed] + kSeconds * action[1] * (action[1] > 0 ? kFaster : kSlower), kSlowest, kFastest);
  const double limit = std::min(1 / kTightest, kHold / (speed * speed));
  const double turn = kSeconds * speed * std::clamp(action[0] / kTightest, -limit, limit);
  const double heading = state[kHeading] + turn / 2;  // in the middle of the step
  state = {state[kNumber], state[kX] + kSeconds * speed * std::cos(heading), state[kY] + kSeconds * speed * std::sin(heading),
           std::remainder(state[kHeading] + turn, 2 * std::numbers::pi), speed};
  const Track::Place place = track_->nearest({state[kX], state[kY]});
  const double way = std::remainder(place.along - along_, track_->length());
  along_ = place.along;
  const bool off = place.distance > track_->half_width();
  return {way / (kFastest * kSeconds) - (off ? kCrash : 0), off};
}

void Driving::observe(std::span<const double> state, std::span<double> observation) const {
  std::array<double, kRays.size()> headings;
  for (std::size_t i = 0; i < headings.size(); ++i) headings[i] = state[kHeading] + kRays[i];
  track_->look({state[kX], state[kY]}, headings, kRange, observation.first(kRays.size()));
  for (double& distance : observation.first(kRays.size())) distance /= kRange;
  observation[kRays.size()] = state[kSpeed] / kFastest;
}

bool Driving::possible(std::span<const double> state) const {
  return Environment::possible(state) && state[kNumber] >= 0 && state[kNumber] < kNumbers &&
         state[kNumber] == std::floor(state[kNumber]) && state[kSpeed] >= kSlowest && state[kSpeed] <= kFastest;
}

void Driving::entered(std::span<const double> state) {
  if (!track_ || number_ != state[kNumber]) track_.emplace(static_cast<std::uint64_t>(state[kNumber]));
  number_ = state[kNumber];
  along_ = track_->nearest({state[kX], state[kY]}).along;
}

}  // namespace swage::env
