// A closed track in the plane: a line along its middle and a width. Lengths are in metres, angles in radians, counter-clockwise from the x axis.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace swage::env {

struct Point {
  double x = 0, y = 0;
};

class Track {
 public:
  // A smooth random one: a circle whose radius is bent by four waves of random strength and phase, driven in a random direction, 8 m wide. No
  // bend is tighter than 9 m along the middle, and no two parts come near each other. The same for the same seed.
  explicit Track(std::uint64_t seed);
  // Through these points, from each to the next and from the last to the first. ValueError below three points, where two that follow are the
  // same, or for a width that is not positive.
  Track(std::vector<Point> middle, double half_width);

  double length() const { return along_.back(); }  // of the middle
  double half_width() const { return half_width_; }

  // The nearest place on the middle.
  struct Place {
    double along;     // from the first point on, in the direction of travel: 0 ≤ along < length()
    double distance;  // of the point from the middle, at least 0
    double heading;   // of the track there
  };
  Place nearest(Point point) const;
  Point point_at(double along) const;  // on the middle; `along` is taken modulo the length

  // For each heading the distance from `from` to the first border that a ray meets, `range` where there is none so near.
  void look(Point from, std::span<const double> headings, double range, std::span<double> distances) const;

 private:
  struct Segment {
    Point from, by;  // the way from one end to the other
  };
  void lay();

  std::vector<Point> middle_;
  double half_width_;
  std::vector<double> along_;  // of each point of the middle, and at last the whole length
  std::vector<Segment> lines_, borders_;
};

}  // namespace swage::env
