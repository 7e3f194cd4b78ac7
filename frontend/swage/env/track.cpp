#include <swage/env/track.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

#include <runtime/core/error.hpp>
#include <swage/env/environment.hpp>

namespace swage::env {
namespace {

constexpr double kPi = std::numbers::pi;
constexpr double kHalfWidth = 4, kRadius = 45, kTightest = 9;
constexpr std::size_t kPoints = 240;

double dot(Point a, Point b) { return a.x * b.x + a.y * b.y; }
double cross(Point a, Point b) { return a.x * b.y - a.y * b.x; }
Point operator-(Point a, Point b) { return {a.x - b.x, a.y - b.y}; }
Point operator+(Point a, Point b) { return {a.x + b.x, a.y + b.y}; }
Point operator*(double s, Point a) { return {s * a.x, s * a.y}; }
double norm(Point a) { return std::sqrt(dot(a, a)); }

std::vector<Point> bent_circle(Random& random) {
  std::array<double, 4> strength, phase;
  for (std::size_t k = 0; k < strength.size(); ++k) {
    strength[k] = uniform(random, 0, 0.5 / static_cast<double>(k + 2));
    phase[k] = uniform(random, 0, 2 * kPi);
  }
  const double way = random.below(2) ? 1 : -1;
  std::vector<Point> made;
  for (std::size_t i = 0; i < kPoints; ++i) {
    const double angle = way * 2 * kPi * static_cast<double>(i) / kPoints;
    double radius = kRadius;
    for (std::size_t k = 0; k < strength.size(); ++k)
      radius += kRadius * strength[k] * std::cos(static_cast<double>(k + 2) * angle + phase[k]);
    made.push_back({radius * std::cos(angle), radius * std::sin(angle)});
  }
  return made;
}

// Bends as gentle as they should be, and parts that are far apart along the line are apart in the plane.
bool can_be_driven(const std::vector<Point>& middle) {
  const std::size_t n = middle.size();
  std::vector<double> along = {0};
  for (std::size_t i = 0; i < n; ++i) {
    const Point a = middle[i], b = middle[(i + 1) % n], c = middle[(i + 2) % n];
    along.push_back(along.back() + norm(b - a));
    // The circle through three points.
    const double area = std::abs(cross(b - a, c - a));
    if (norm(b - a) * norm(c - b) * norm(c - a) < 2 * kTightest * area) return false;
  }
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = i + 1; j < n; ++j) {
      const double apart = std::min(along[j] - along[i], along.back() - (along[j] - along[i]));
      if (apart > kPi * kTightest && norm(middle[j] - middle[i]) < 2.5 * kHalfWidth) return false;
    }
  return true;
}

}  // namespace

Track::Track(std::uint64_t seed) : half_width_(kHalfWidth) {
  Random random(seed);
  do middle_ = bent_circle(random);
  while (!can_be_driven(middle_));
  lay();
}

Track::Track(std::vector<Point> middle, double half_width) : middle_(std::move(middle)), half_width_(half_width) {
  if (middle_.size() < 3 || !(half_width > 0))
    raise<ValueError>(caller(), "[Track] {} points and half a width of {}; three points and a width above zero are the least",
                      middle_.size(), half_width);
  for (std::size_t i = 0; i < middle_.size(); ++i)
    if (norm(middle_[(i + 1) % middle_.size()] - middle_[i]) == 0)
      raise<ValueError>(caller(), "[Track] point {} and the next are the same", i);
  lay();
}

void Track::lay() {
  const std::size_t n = middle_.size();
  along_ = {0};
  std::vector<Point> left;  // from each point of the middle to the border on the left; the one on the right lies opposite
  for (std::size_t i = 0; i < n; ++i) {
    const Point before = middle_[i] - middle_[(i + n - 1) % n], after = middle_[(i + 1) % n] - middle_[i];
    lines_.push_back({middle_[i], after});
    along_.push_back(along_.back() + norm(after));
    const Point one = (1 / norm(before)) * Point{-before.y, before.x}, other = (1 / norm(after)) * Point{-after.y, after.x};
    left.push_back((half_width_ / (1 + dot(one, other))) * (one + other));  // a mitre: both lines keep their distance
  }
  for (std::size_t i = 0; i < n; ++i)
    for (const double side : {1.0, -1.0}) {
      const Point from = middle_[i] + side * left[i], to = middle_[(i + 1) % n] + side * left[(i + 1) % n];
      borders_.push_back({from, to - from});
    }
}

Track::Place Track::nearest(Point point) const {
  double least = std::numeric_limits<double>::infinity(), share = 0;
  std::size_t found = 0;
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    const auto& [from, by] = lines_[i];
    const double t = std::clamp(dot(point - from, by) / dot(by, by), 0.0, 1.0);
    const Point off = point - from - t * by;
    if (dot(off, off) < least) {
      least = dot(off, off);
      share = t;
      found = i;
    }
  }
  const double along = along_[found] + share * (along_[found + 1] - along_[found]);
  return {along < length() ? along : 0, std::sqrt(least), std::atan2(lines_[found].by.y, lines_[found].by.x)};
}

Point Track::point_at(double along) const {
  double rest = std::fmod(along, length());
  if (rest < 0) rest += length();
  const auto after = std::upper_bound(along_.begin(), along_.end() - 1, rest);
  const auto i = static_cast<std::size_t>(after - along_.begin()) - 1;
  return lines_[i].from + ((rest - along_[i]) / (along_[i + 1] - along_[i])) * lines_[i].by;
}

void Track::look(Point from, std::span<const double> headings, double range, std::span<double> distances) const {
  std::vector<Segment> near;  // those that a ray may meet
  for (const Segment& border : borders_)
    if (norm(border.from - from) <= range + norm(border.by)) near.push_back(border);
  for (std::size_t i = 0; i < headings.size(); ++i) {
    const Point ray = {std::cos(headings[i]), std::sin(headings[i])};
    double first = range;
    for (const auto& [end, by] : near) {
      // from + t·ray = end + s·by
      const double across = cross(ray, by);
      if (across == 0) continue;
      const double t = cross(end - from, by) / across, s = cross(end - from, ray) / across;
      if (t >= 0 && t < first && s >= 0 && s <= 1) first = t;
    }
    distances[i] = first;
  }
}

}  // namespace swage::env
