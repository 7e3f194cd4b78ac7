#include <jit/sample.hpp>

#include <algorithm>

namespace swage::jit {
namespace {

// Units as positions in the order in which they walk the kept dimensions; a split program's are counted by results here.
class UnitPositions {
 public:
  UnitPositions(const Space& space, const Program& program) : program_(program) {
    total_ = space.kept_numel();
    if (program.form == Form::flat) {
      width_ = program.grain();
      columns_ = total_;
    } else if (program.form == Form::columns) {
      width_ = program.strip * kLanes;
      columns_ = program.columns;
    } else {
      width_ = columns_ = space.reduced == 0 ? program.inner.product() : 1;
    }
    strips_ = (columns_ + width_ - 1) / width_;
  }

  std::int64_t position(std::int64_t k) const { return k / strips_ * columns_ + k % strips_ * width_; }
  // The last one that starts at or before `position`.
  std::int64_t at_or_before(std::int64_t position) const {
    return position / columns_ * strips_ + position % columns_ / width_;
  }
  // In what the group function counts.
  std::int64_t unit(std::int64_t k) const {
    if (program_.form == Form::flat) return std::min(k * width_, total_);
    return program_.split ? k * program_.blocks() : k;
  }

 private:
  const Program& program_;
  std::int64_t total_ = 0, width_ = 1, columns_ = 1, strips_ = 1;
};

}  // namespace

Sample take_sample(const Space& space, const BoundProgram& bound, std::int64_t at, std::int64_t elements) {
  const std::vector<int>& order = bound.order;
  const UnitPositions positions(space, bound.program);
  const std::int64_t total = space.kept_numel(), row = space.numel() / total;
  Sample sample;
  sample.begin.resize(space.dims.rank());
  sample.steps.resize(space.dims.rank());
  std::int64_t step = 1;
  for (std::size_t k = order.size(); k-- > 0; step *= space.dims[order[k]]) sample.steps[order[k]] = step;

  for (std::int64_t wanted = std::max<std::int64_t>(elements / row, 1);; wanted *= 2) {
    sample.extents = space.dims;
    for (int d = 0; d < space.dims.rank(); ++d) sample.begin[d] = 0;
    sample.first = 0;
    sample.last = total;
    for (int d : order) {  // fixed from the outermost inward, until what is left is small enough
      const std::int64_t inside = sample.steps[d], extent = space.dims[d];
      if (inside * extent <= wanted) break;
      const std::int64_t count = std::clamp<std::int64_t>(wanted / inside, 1, extent);
      const std::int64_t from = std::min(at / inside % extent, extent - count);
      sample.begin[d] = from;
      sample.extents[d] = count;
      sample.first += from * inside;
      sample.last = sample.first + count * inside;
      if (count > 1) break;
    }
    std::int64_t from = positions.at_or_before(sample.first), to = positions.at_or_before(sample.last);
    if (positions.position(from) < sample.first) ++from;
    if (sample.last == total) to = positions.at_or_before(total - 1) + 1;
    if (from >= to) continue;
    sample.first_unit = positions.unit(from);
    sample.last_unit = positions.unit(to);
    sample.first = positions.position(from);
    sample.last = sample.last == total ? total : positions.position(to);
    return sample;
  }
}

}  // namespace swage::jit
