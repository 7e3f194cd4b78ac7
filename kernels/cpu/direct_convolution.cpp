#include <kernels/cpu/direct_convolution.hpp>

#include <algorithm>
#include <optional>

#include <kernels/cpu/convolution_loops.hpp>
#include <kernels/cpu/layout.hpp>
#include <kernels/cpu/simd_table.hpp>
#include <runtime/core/thread_pool.hpp>

namespace swage {
namespace {

constexpr std::int64_t kBlock = 16;
constexpr std::int64_t kBlocks = 2;             // of the result, worked on together
constexpr std::int64_t kImages = 8;             // of a unit
constexpr std::int64_t kTurnBytes = 24 * 1024;  // what one turn over images reads: it stays in the first-level cache

// Not the copy that tests choose: as the library, what decides is the machine.
const ConvolutionLoops& loops() {
  static const ConvolutionLoops loops = convolution_block() == kBlock ? avx512::convolution_loops() : avx2::convolution_loops();
  return loops;
}

void transpose(const float* in, std::int64_t in_row, std::int64_t rows, std::int64_t columns, float* out,
               std::int64_t out_row) {
  simd().transpose[static_cast<int>(DType::f32)](in, in_row, rows, columns, out, out_row);
}

std::int64_t divided(std::int64_t x, std::int64_t by) { return (x + by - 1) / by; }

struct Geometry {
  explicit Geometry(const ConvShape& s)
      : taps(s.kernel_height * s.kernel_width),
        in_places(s.in_height * s.in_width),
        out_places(s.out_height * s.out_width),
        in_image(s.in_channels * in_places),
        out_image(s.out_channels * out_places) {}
  std::int64_t taps, in_places, out_places, in_image, out_image;
};

// Pairs of offsets by sum, in memory of the warm lists.
class Pairs {
 public:
  Pairs(std::int64_t sums, std::int64_t pairs)
      : memory_(static_cast<std::size_t>(pairs) * sizeof(OffsetPair) +
                static_cast<std::size_t>(sums + 1) * sizeof(std::int64_t)),
        list_(memory_.as<OffsetPair>()),
        first_(reinterpret_cast<std::int64_t*>(list_ + pairs)) {
    first_[0] = 0;
  }
  void add(std::int64_t first, std::int64_t second) { list_[count_++] = {first, second}; }
  void end_sum() { first_[++sums_] = count_; }
  const OffsetPair* list() const { return list_; }
  const std::int64_t* first() const { return first_; }

 private:
  Scratch memory_;
  OffsetPair* list_;
  std::int64_t* first_;
  std::int64_t count_ = 0, sums_ = 0;
};

// The input place that output place (y, x) multiplies by tap (ky, kx), or −1 where that is padding.
std::int64_t input_place(const ConvShape& s, std::int64_t y, std::int64_t x, std::int64_t ky, std::int64_t kx) {
  const std::int64_t iy = y * s.stride_height + ky - s.pad_height, ix = x * s.stride_width + kx - s.pad_width;
  return iy < 0 || ix < 0 || iy >= s.in_height || ix >= s.in_width ? -1 : iy * s.in_width + ix;
}
// The output place that input place (y, x) contributes to through tap (ky, kx), or −1.
std::int64_t output_place(const ConvShape& s, std::int64_t y, std::int64_t x, std::int64_t ky, std::int64_t kx) {
  const std::int64_t oy = y + s.pad_height - ky, ox = x + s.pad_width - kx;
  if (oy < 0 || ox < 0 || oy % s.stride_height != 0 || ox % s.stride_width != 0) return -1;
  const std::int64_t row = oy / s.stride_height, column = ox / s.stride_width;
  return row >= s.out_height || column >= s.out_width ? -1 : row * s.out_width + column;
}

// N×C×places into N×C/16×places×16.
void into_blocks(const float* in, std::int64_t blocks, std::int64_t places, float* out) {
  for (std::int64_t b = 0; b < blocks; ++b)
    transpose(in + b * places * kBlock, places, places, kBlock, out + b * places * kBlock, kBlock);
}
void from_blocks(const float* in, std::int64_t blocks, std::int64_t places, float* out) {
  for (std::int64_t b = 0; b < blocks; ++b)
    transpose(in + b * places * kBlock, kBlock, kBlock, places, out + b * places * kBlock, places);
}

// An activation in blocks: itself, or a copy.
class Activation {
 public:
  Activation(const void* data, bool blocked, std::int64_t elements) : data_(static_cast<const float*>(data)) {
    if (!blocked) copy_.emplace(static_cast<std::size_t>(elements) * sizeof(float));
  }
  const float* in_blocks(std::int64_t blocks, std::int64_t places) {
    if (!copy_) return data_;
    into_blocks(data_, blocks, places, copy_->as<float>());
    return copy_->as<float>();
  }

 private:
  const float* data_;
  std::optional<Scratch> copy_;
};

// Forward, and by input: both sum over taps and channels for each place of the result.
void by_places(Op op, const ConvShape& s, unsigned blocked, std::int64_t part, const void* first, const float* weight,
               void* result) {
  const Geometry g(s);
  const bool forward = op == Op::conv2d;
  const std::int64_t channels = forward ? s.in_channels : s.out_channels,
                     result_channels = forward ? s.out_channels : s.in_channels;
  const std::int64_t height = forward ? s.out_height : s.in_height, width = forward ? s.out_width : s.in_width;
  const std::int64_t places = height * width, from_places = forward ? g.in_places : g.out_places;
  const std::int64_t image = forward ? g.in_image : g.out_image, result_image = forward ? g.out_image : g.in_image;

  Activation from(first, blocked & 1, s.images * image);
  std::optional<Scratch> copy;
  if (!(blocked & 4)) copy.emplace(static_cast<std::size_t>(s.images * result_image) * sizeof(float));
  const Scratch packed(static_cast<std::size_t>(s.in_channels * s.out_channels * g.taps) * sizeof(float));
  Pairs pairs(places, places * g.taps);
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x) {
      for (std::int64_t ky = 0; ky < s.kernel_height; ++ky)
        for (std::int64_t kx = 0; kx < s.kernel_width; ++kx)
          if (const std::int64_t at = forward ? input_place(s, y, x, ky, kx) : output_place(s, y, x, ky, kx); at >= 0)
            pairs.add((ky * s.kernel_width + kx) * kBlock, at * kBlock);
      pairs.end_sum();
    }

  ConvolutionPlaces run;
  run.in_image = image;
  run.out_image = result_image;
  run.in_blocks = channels / kBlock;
  run.in_block = from_places * kBlock;
  run.out_block = places * kBlock;
  run.weight_block = channels * g.taps * kBlock;
  run.taps = g.taps;
  run.places = places;
  run.list = pairs.list();
  run.first = pairs.first();
  const float* in = from.in_blocks(s.images * run.in_blocks, from_places);
  float* out = copy ? copy->as<float>() : static_cast<float*>(result);
  for (std::int64_t b = 0; b < result_channels / kBlock; ++b) {
    float* to = packed.as<float>() + b * run.weight_block;
    if (forward)
      transpose(weight + b * run.weight_block, channels * g.taps, channels * g.taps, kBlock, to, kBlock);
    else
      for (std::int64_t o = 0; o < channels; ++o)
        transpose(weight + (o * s.in_channels + b * kBlock) * g.taps, g.taps, g.taps, kBlock, to + o * g.taps * kBlock, kBlock);
  }

  const std::int64_t groups = divided(s.images, kImages);
  parallel_for(direct_convolution_units(op, s.images, s.in_channels, s.out_channels), part,
               [&](std::int64_t begin, std::int64_t end, int) {
                 ConvolutionPlaces unit = run;
                 for (std::int64_t u = begin; u < end; ++u) {
                   const std::int64_t block = u / groups * kBlocks, at = u % groups * kImages;
                   unit.images = std::min(kImages, s.images - at);
                   unit.in = in + at * image;
                   unit.weight = packed.as<float>() + block * run.weight_block;
                   unit.out = out + at * result_image + block * run.out_block;
                   loops().places(unit);
                 }
               });
  if (copy) from_blocks(out, s.images * result_channels / kBlock, places, static_cast<float*>(result));
}

void by_taps(const ConvShape& s, unsigned blocked, std::int64_t part, const void* first, const void* second, float* result) {
  const Geometry g(s);
  Activation gradient(first, blocked & 1, s.images * g.out_image), input(second, blocked & 2, s.images * g.in_image);
  ConvolutionTaps run;
  run.images = s.images;
  run.gradient_image = g.out_image;
  run.in_image = g.in_image;
  run.gradient_block = g.out_places * kBlock;
  run.sums_block = kBlock * g.taps * kBlock;
  run.taps = g.taps;
  const std::int64_t image_bytes = (kBlocks * g.out_places + g.in_places) * kBlock * static_cast<std::int64_t>(sizeof(float));
  run.turn = std::max<std::int64_t>(kTurnBytes / image_bytes, 1);

  const std::int64_t units = direct_convolution_units(Op::conv2d_grad_weight, s.images, s.in_channels, s.out_channels),
                     in_blocks = s.in_channels / kBlock;
  const Scratch sums(static_cast<std::size_t>(units * kBlocks * run.sums_block) * sizeof(float));
  Pairs pairs(g.taps, g.taps * g.out_places);
  for (std::int64_t ky = 0; ky < s.kernel_height; ++ky)
    for (std::int64_t kx = 0; kx < s.kernel_width; ++kx) {
      for (std::int64_t y = 0; y < s.out_height; ++y)
        for (std::int64_t x = 0; x < s.out_width; ++x)
          if (const std::int64_t at = input_place(s, y, x, ky, kx); at >= 0)
            pairs.add((y * s.out_width + x) * kBlock, at * kBlock);
      pairs.end_sum();
    }
  run.list = pairs.list();
  run.first = pairs.first();
  const float* grad = gradient.in_blocks(s.images * s.out_channels / kBlock, g.out_places);
  const float* in = input.in_blocks(s.images * in_blocks, g.in_places);

  parallel_for(units, part, [&](std::int64_t begin, std::int64_t end, int) {
    ConvolutionTaps unit = run;
    for (std::int64_t u = begin; u < end; ++u) {
      const std::int64_t block = u / in_blocks * kBlocks, in_block = u % in_blocks;
      unit.gradient = grad + block * run.gradient_block;
      unit.in = in + in_block * g.in_places * kBlock;
      unit.sums = sums.as<float>() + u * kBlocks * run.sums_block;
      loops().taps(unit);
      const std::int64_t row = s.in_channels * g.taps;
      for (std::int64_t b = 0; b < kBlocks; ++b)
        transpose(unit.sums + b * run.sums_block, kBlock, kBlock, kBlock * g.taps,
                  result + (block + b) * kBlock * row + in_block * kBlock * g.taps, row);
    }
  });
}

}  // namespace

bool direct_convolution_fits(Op op, std::int64_t in_channels, std::int64_t out_channels) {
  const std::int64_t result = op == Op::conv2d_grad_input ? in_channels : out_channels;
  return loops().places && in_channels % kBlock == 0 && out_channels % kBlock == 0 && result % (kBlocks * kBlock) == 0;
}

std::int64_t direct_convolution_units(Op op, std::int64_t images, std::int64_t in_channels, std::int64_t out_channels) {
  const std::int64_t result = op == Op::conv2d_grad_input ? in_channels : out_channels;
  const std::int64_t others = op == Op::conv2d_grad_weight ? in_channels / kBlock : divided(images, kImages);
  return result / (kBlocks * kBlock) * others;
}

void direct_convolution(Op op, const ConvShape& shape, unsigned blocked, std::int64_t part, const void* first,
                        const void* second, void* result) {
  if (op == Op::conv2d_grad_weight)
    by_taps(shape, blocked, part, first, second, static_cast<float*>(result));
  else
    by_places(op, shape, blocked, part, first, static_cast<const float*>(second), result);
}

}  // namespace swage
