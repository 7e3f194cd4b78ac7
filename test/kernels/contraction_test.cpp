// Products and convolutions against sums in long double.
#include <kernels/cpu/contraction.hpp>

#include <cmath>

#include <gtest/gtest.h>

#include <kernels/cpu/convolution.hpp>
#include <runtime/core/thread_pool.hpp>
#include <test/kernels/support.hpp>

namespace swage::test {
namespace {

// Σ |terms| bounds what rounding may do: n terms, half a unit each, and as much again for the order.
double tolerance(DType dtype, long double magnitude, std::int64_t terms) {
  const double unit = dtype == DType::f32 ? 0x1p-24 : 0x1p-53;
  return static_cast<double>(magnitude) * unit * (2 + std::sqrt(static_cast<double>(terms)) * 2) + 1e-300;
}

void expect_product(const Array& a, const Array& b) {
  const Array c = run(Op::matmul, {a, b});
  const std::int64_t m = a.desc.dims[0], k = a.desc.dims[1], n = b.desc.dims[1];
  const Array x = a.contiguous(), y = b.contiguous();
  std::vector<long double> left(static_cast<std::size_t>(m * k)), right(static_cast<std::size_t>(k * n));
  for (std::int64_t i = 0; i < m * k; ++i) left[static_cast<std::size_t>(i)] = x.get(i);
  for (std::int64_t i = 0; i < k * n; ++i) right[static_cast<std::size_t>(i)] = y.get(i);
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t j = 0; j < n; ++j) {
      long double sum = 0, magnitude = 0;
      for (std::int64_t p = 0; p < k; ++p) {
        const long double term = left[static_cast<std::size_t>(i * k + p)] * right[static_cast<std::size_t>(p * n + j)];
        sum += term;
        magnitude += std::fabs(term);
      }
      ASSERT_NEAR(static_cast<double>(c.get(i * n + j)), static_cast<double>(sum), tolerance(a.desc.dtype, magnitude, k))
          << to_string(a.desc) << " times " << to_string(b.desc) << " at " << i << ", " << j;
    }
  ASSERT_TRUE(same_bits(c, run(Op::matmul, {a, b}))) << "a repeated run";
}

// A matrix in one of the layouts that a product may meet.
Array matrix(DType dtype, std::int64_t rows, std::int64_t columns, int layout, std::uint32_t seed) {
  switch (layout) {
    case 0: return random(dtype, {rows, columns}, seed);
    case 1: return random(dtype, {columns, rows}, seed).transposed();
    case 2: return random(dtype, {rows + 3, columns + 5}, seed).narrowed(0, 1, rows).narrowed(1, 2, columns);
    case 3: return random(dtype, {rows, columns * 2}, seed).stepped(1, 2);
    default: return random(dtype, {1, columns}, seed).expanded({rows, columns});
  }
}

TEST(Matmul, SmallShapesInAllLayouts) {
  on_each_isa([](const std::string&) {
    for (DType dtype : {DType::f32, DType::f64})
      for (const auto& s : std::vector<std::array<std::int64_t, 3>>{{1, 1, 1},
                                                                    {20, 10, 1},
                                                                    {1, 20, 20},
                                                                    {20, 20, 1},
                                                                    {3, 5, 7},
                                                                    {8, 16, 32},
                                                                    {17, 33, 65},
                                                                    {9, 300, 10},
                                                                    {1, 300, 70},
                                                                    {70, 300, 1},
                                                                    {5, 1, 5},
                                                                    {2, 40, 100},
                                                                    {64, 10, 3},
                                                                    {33, 7, 130}})
        for (int a = 0; a < 5; ++a)
          for (int b = 0; b < 5; ++b) expect_product(matrix(dtype, s[0], s[1], a, 1), matrix(dtype, s[1], s[2], b, 2));
  });
}

TEST(Matmul, LargeShapes) {
  on_each_isa([](const std::string&) {
    for (int threads : {1, 2}) {
      set_num_threads(threads);
      for (DType dtype : {DType::f32, DType::f64})
        for (int layout = 0; layout < 5; ++layout) {
          expect_product(matrix(dtype, 64, 300, layout, 1), matrix(dtype, 300, 96, (layout + 1) % 5, 2));
          expect_product(matrix(dtype, 150, 70, layout, 1), matrix(dtype, 70, 110, (layout + 3) % 5, 2));
        }
      set_num_threads(1);
    }
  });
}

TEST(Matmul, NothingToAddUp) {
  for (DType dtype : {DType::f32, DType::f64}) {
    const Array c = run(Op::matmul, {random(dtype, {3, 0}, 1), random(dtype, {0, 4}, 2)});
    for (std::int64_t i = 0; i < 12; ++i) EXPECT_EQ(c.get(i), 0);
    EXPECT_EQ(run(Op::matmul, {random(dtype, {0, 3}, 1), random(dtype, {3, 4}, 2)}).numel(), 0);
    EXPECT_EQ(run(Op::matmul, {random(dtype, {5, 3}, 1), random(dtype, {3, 0}, 2)}).numel(), 0);
  }
}

// Each product of a batch has the bits that it has alone, whatever the layout, the batch's strides and the number of threads.
TEST(Matmul, Batches) {
  on_each_isa([](const std::string&) {
    for (DType dtype : {DType::f32, DType::f64})
      for (const auto& s : std::vector<std::array<std::int64_t, 3>>{{3, 5, 7}, {1, 40, 30}, {90, 60, 70}}) {
        const Array a = random(dtype, {2, s[0], 3, s[1]}, 1).permuted({0, 2, 1, 3});  // heads beside one another
        const std::vector<Array> rights = {random(dtype, {2, 3, s[1], s[2]}, 2),
                                           random(dtype, {2, 3, s[2], s[1]}, 3).permuted({0, 1, 3, 2}),
                                           random(dtype, {1, 3, s[1], s[2]}, 4).expanded({2, 3, s[1], s[2]}),
                                           random(dtype, {2, 3, s[1], s[2] * 2}, 5).stepped(3, 2)};
        for (const Array& b : rights) {
          const Array c = run(Op::matmul, {a, b});
          ASSERT_EQ(c.desc.dims, (Dims{2, 3, s[0], s[2]}));
          const auto matrix_at = [](Array x, std::int64_t i, std::int64_t j) {
            x.offset += i * x.desc.strides[0] + j * x.desc.strides[1];
            x.desc = {x.desc.dtype, {x.desc.dims[2], x.desc.dims[3]}, {x.desc.strides[2], x.desc.strides[3]}};
            return x;
          };
          for (std::int64_t i = 0; i < 2; ++i)
            for (std::int64_t j = 0; j < 3; ++j)
              ASSERT_TRUE(same_bits(matrix_at(c, i, j), run(Op::matmul, {matrix_at(a, i, j), matrix_at(b, i, j)})))
                  << to_string(a.desc) << " times " << to_string(b.desc) << " at " << i << ", " << j;
          set_num_threads(2);
          EXPECT_TRUE(same_bits(c, run(Op::matmul, {a, b})));
          set_num_threads(1);
        }
      }
  });
  EXPECT_EQ(run(Op::matmul, {random(DType::f32, {0, 3, 2}, 1), random(DType::f32, {0, 2, 4}, 2)}).numel(), 0);
  const Array c = run(Op::matmul, {random(DType::f32, {2, 3, 0}, 1), random(DType::f32, {2, 0, 4}, 2)});
  for (std::int64_t i = 0; i < 24; ++i) EXPECT_EQ(c.get(i), 0);
}

// Each element of a product is one chain of fma over k: layouts, packing, neighbours and threads change nothing.
template <class T>
void expect_chains(const Array& a, const Array& b, const Array& c) {
  const std::int64_t m = a.desc.dims[0], k = a.desc.dims[1], n = b.desc.dims[1];
  for (std::int64_t i : {std::int64_t{0}, std::int64_t{1}, m / 2 + 3, m - 1})
    for (std::int64_t j : {std::int64_t{0}, std::int64_t{15}, std::int64_t{16}, n / 2 + 1, n - 1}) {
      T sum = 0;
      for (std::int64_t p = 0; p < k; ++p)
        sum = std::fma(static_cast<T>(a.get(i * k + p)), static_cast<T>(b.get(p * n + j)), sum);
      ASSERT_EQ(static_cast<T>(c.get(i * n + j)), sum)
          << to_string(a.desc) << " times " << to_string(b.desc) << " at " << i << ", " << j;
    }
}

TEST(Matmul, ProductsAreChainsOfFma) {
  on_each_isa([](const std::string& isa) {
    SCOPED_TRACE(isa);
    for (DType dtype : {DType::f32, DType::f64})
      for (const auto& [m, k, n] :
           std::vector<std::array<std::int64_t, 3>>{{130, 600, 37}, {81, 40, 1030}, {20, 300, 100}, {67, 530, 500}})
        for (int layout = 0; layout < 4; ++layout) {
          const Array a = matrix(dtype, m, k, layout, 1), b = matrix(dtype, k, n, (layout * 2 + 1) % 4, 2);
          for (int threads : {1, 2, 3}) {
            set_num_threads(threads);
            const Array c = run(Op::matmul, {a, b});
            dtype == DType::f32 ? expect_chains<float>(a, b, c) : expect_chains<double>(a, b, c);
          }
          set_num_threads(1);
        }
  });
}

TEST(Decide, DependsOnNothingButTheQuery) {
  ContractionQuery query;
  query.m = query.k = query.n = 8;
  EXPECT_EQ(decide(query).implementation, Implementation::own);
  query.k = 0;
  EXPECT_EQ(decide(query).implementation, Implementation::zeros);
  query.k = 8;
  query.m = 1;
  query.b = MatrixLayout::transposed;
  EXPECT_EQ(decide(query).implementation, Implementation::dots);
  query.b = MatrixLayout::plain;
  EXPECT_EQ(decide(query).implementation, Implementation::own);
  query.m = query.k = query.n = 128;
  EXPECT_EQ(decide(query).implementation, Implementation::own);
  EXPECT_EQ(decide(query).parts, 1);
  query.threads = 2;
  EXPECT_EQ(decide(query).parts, 2);
  EXPECT_EQ(decide(query).part, 64);
  EXPECT_FALSE(decide(query).columns);
  query.n = 300;  // the longer side is split
  EXPECT_EQ(decide(query).part, 160);
  EXPECT_TRUE(decide(query).columns);
}

TEST(Decide, ThreadsShareTheOutputChannelsOfAGradientOfTheWeight) {
  ContractionQuery query;
  query.op = Op::conv2d_grad_weight;
  query.threads = 2;
  query.images = 8;
  query.in_channels = 24;
  query.places = 1 << 12;
  query.taps = 9;
  for (auto [channels, part] : {std::pair<std::int64_t, std::int64_t>{64, 32}, {48, 32}, {16, 16}, {40, 40}}) {
    query.out_channels = channels;
    EXPECT_EQ(decide(query).part, part) << channels;
    EXPECT_EQ(decide(query).parts, (channels + part - 1) / part) << channels;
  }
}

TEST(Decide, SmallImagesAndGradientsOfWeightsAreConvolvedDirectly) {
  if (convolution_block() == 0) GTEST_SKIP() << "no direct convolutions on this machine";
  ContractionQuery query;
  query.images = 20;
  query.in_channels = 48;
  query.out_channels = 64;
  query.taps = 9;
  const auto decided = [&](Op op, std::int64_t places) {
    query.op = op;
    query.places = places;
    return decide(query);
  };
  EXPECT_EQ(decided(Op::conv2d, 16).implementation, Implementation::direct);
  EXPECT_EQ(decided(Op::conv2d, 17).implementation, Implementation::onednn);
  EXPECT_EQ(decided(Op::conv2d_grad_input, 16).implementation, Implementation::onednn);  // 48 is no multiple of 32
  EXPECT_EQ(decided(Op::conv2d_grad_weight, 2048).implementation, Implementation::direct);
  EXPECT_EQ(decided(Op::conv2d_grad_weight, 2049).implementation, Implementation::onednn);
  query.threads = 2;
  EXPECT_EQ(decided(Op::conv2d, 16).part, 3);                // two pairs of blocks, each of three groups of images
  EXPECT_EQ(decided(Op::conv2d_grad_weight, 2048).part, 3);  // two pairs, each with three blocks of the input
  EXPECT_EQ(decided(Op::conv2d_grad_weight, 1).parts, 1);
  query.taps = 1;
  EXPECT_EQ(decided(Op::conv2d, 16).implementation, Implementation::onednn);
  EXPECT_EQ(decided(Op::conv2d_grad_weight, 16).implementation, Implementation::onednn);
}

struct Geometry {
  std::int64_t n, c, h, w, o, kh, kw, sh, sw, ph, pw;
};

TEST(Convolution, ForwardAndBothGradients) {
  const std::vector<Geometry> geometries = {
      {2, 3, 8, 8, 5, 3, 3, 1, 1, 1, 1},    {3, 16, 9, 7, 16, 3, 3, 2, 2, 1, 1},  {1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0},
      {2, 4, 6, 6, 32, 3, 3, 2, 1, 0, 2},   {2, 32, 8, 8, 17, 1, 1, 1, 1, 0, 0},  {1, 2, 10, 11, 3, 5, 4, 3, 2, 2, 3},
      {5, 20, 5, 5, 33, 3, 2, 2, 2, 1, 0},  {2, 1, 28, 28, 8, 5, 5, 1, 1, 0, 0},  {2, 3, 3, 3, 4, 3, 3, 5, 5, 3, 3},
      {0, 3, 8, 8, 5, 3, 3, 1, 1, 1, 1},    {11, 32, 5, 4, 32, 3, 2, 1, 1, 1, 0}, {3, 64, 7, 6, 32, 3, 5, 3, 2, 2, 3},
      {1, 16, 12, 12, 64, 3, 3, 1, 2, 0, 1}};
  for (int threads : {1, 2}) {
    set_num_threads(threads);
    for (DType dtype : {DType::f32, DType::f64})
      for (const Geometry& g : geometries) {
        SCOPED_TRACE(
            fmt::format("{} {} {}×{}×{}×{} kernel {}×{}×{}", threads, name_of(dtype), g.n, g.c, g.h, g.w, g.o, g.kh, g.kw));
        const std::int64_t oh = (g.h + 2 * g.ph - g.kh) / g.sh + 1, ow = (g.w + 2 * g.pw - g.kw) / g.sw + 1;
        const Array input = random(dtype, {g.n, g.c, g.h, g.w}, 1, -1, 1);
        // Operands that are not dense are made so first.
        const Array weight = random(dtype, {g.kw, g.kh, g.c, g.o}, 2, -1, 1).permuted({3, 2, 1, 0});
        const Array grad = random(dtype, {g.n, g.o, oh, ow}, 3, -1, 1);
        std::vector<long double> output(static_cast<std::size_t>(grad.numel())), output_size = output;
        std::vector<long double> grad_input(static_cast<std::size_t>(input.numel())), grad_input_size = grad_input;
        std::vector<long double> grad_weight(static_cast<std::size_t>(weight.numel())), grad_weight_size = grad_weight;
        const auto term = [](std::vector<long double>& sums, std::vector<long double>& sizes, std::int64_t at, long double x) {
          sums[static_cast<std::size_t>(at)] += x;
          sizes[static_cast<std::size_t>(at)] += std::fabs(x);
        };
        for (std::int64_t n = 0, out = 0; n < g.n; ++n)
          for (std::int64_t o = 0; o < g.o; ++o)
            for (std::int64_t y = 0; y < oh; ++y)
              for (std::int64_t x = 0; x < ow; ++x, ++out)
                for (std::int64_t c = 0; c < g.c; ++c)
                  for (std::int64_t i = 0; i < g.kh; ++i)
                    for (std::int64_t j = 0; j < g.kw; ++j) {
                      const std::int64_t yy = y * g.sh + i - g.ph, xx = x * g.sw + j - g.pw;
                      if (yy < 0 || yy >= g.h || xx < 0 || xx >= g.w) continue;
                      const std::int64_t from = ((n * g.c + c) * g.h + yy) * g.w + xx;
                      const std::int64_t tap = ((o * g.c + c) * g.kh + i) * g.kw + j;
                      term(output, output_size, out, input.get(from) * weight.get(tap));
                      term(grad_input, grad_input_size, from, grad.get(out) * weight.get(tap));
                      term(grad_weight, grad_weight_size, tap, grad.get(out) * input.get(from));
                    }
        Attribute attribute{{g.sh, g.sw, g.ph, g.pw}, 0, DType::f32};
        const auto expect = [&](const Array& got, const std::vector<long double>& sums, const std::vector<long double>& sizes) {
          ASSERT_EQ(got.numel(), static_cast<std::int64_t>(sums.size()));
          for (std::int64_t i = 0; i < got.numel(); ++i)
            ASSERT_NEAR(static_cast<double>(got.get(i)), static_cast<double>(sums[static_cast<std::size_t>(i)]),
                        tolerance(dtype, sizes[static_cast<std::size_t>(i)], 100))
                << i;
        };
        const Array forward = run(Op::conv2d, {input, weight}, attribute);
        expect(forward, output, output_size);
        EXPECT_TRUE(same_bits(forward, run(Op::conv2d, {input, weight}, attribute)));
        attribute.ints.insert(attribute.ints.end(), {g.n, g.c, g.h, g.w});
        expect(run(Op::conv2d_grad_input, {grad, weight}, attribute), grad_input, grad_input_size);
        attribute.ints = {g.sh, g.sw, g.ph, g.pw, g.o, g.c, g.kh, g.kw};
        expect(run(Op::conv2d_grad_weight, {grad, input}, attribute), grad_weight, grad_weight_size);
      }
    set_num_threads(1);
  }
}

// Runs a convolution on descriptors as a plan gives them: activations may have their channels in blocks.
Array convolve(Op op, const Array& first, const Array& second, const Dims& result, std::vector<std::int64_t> ints) {
  const Attribute attribute{std::move(ints), 0, DType::f32};
  const Array out = empty(DType::f32, result);
  KeyHalf key;
  key.op = op;
  key.n_operands = 2;
  KernelArgs args;
  args.key = &key;
  args.attribute = &attribute;
  args.operands[0] = {first.data(), &first.desc};
  args.operands[1] = {second.data(), &second.desc};
  args.result = {out.data(), &out.desc};
  run_conv2d(args);
  return out;
}

Dims blocked_dims(const Dims& dims) { return {dims[0], dims[1] / 16, dims[2], dims[3], 16}; }
Array in_blocks(const Array& plain) {
  const Dims& d = plain.desc.dims;
  return from(DType::f32, blocked_dims(d), [&](std::int64_t i) {
    const std::int64_t lane = i % 16, pixel = i / 16 % (d[2] * d[3]), block = i / 16 / (d[2] * d[3]);
    return plain.get((block * 16 + lane) * d[2] * d[3] + pixel);
  });
}

TEST(Convolution, SameBitsInEitherLayoutOnAnyThreads) {
  const std::vector<Geometry> geometries = {{4, 32, 16, 16, 64, 3, 3, 2, 2, 1, 1}, {5, 16, 9, 11, 48, 3, 3, 1, 1, 1, 1},
                                            {7, 64, 8, 8, 112, 3, 3, 2, 2, 1, 1},  {3, 48, 12, 12, 32, 1, 1, 1, 1, 0, 0},
                                            {19, 64, 7, 6, 32, 3, 5, 3, 2, 2, 3},  {13, 32, 4, 4, 64, 3, 3, 1, 1, 1, 1}};
  for (const Geometry& g : geometries) {
    SCOPED_TRACE(fmt::format("{}×{}×{}×{} kernel {}×{}×{}", g.n, g.c, g.h, g.w, g.o, g.kh, g.kw));
    const Dims in = {g.n, g.c, g.h, g.w}, weight_dims = {g.o, g.c, g.kh, g.kw};
    const Dims out = {g.n, g.o, (g.h + 2 * g.ph - g.kh) / g.sh + 1, (g.w + 2 * g.pw - g.kw) / g.sw + 1};
    const Array input = random(DType::f32, in, 1, -1, 1), weight = random(DType::f32, weight_dims, 2, -1, 1);
    const Array grad = random(DType::f32, out, 3, -1, 1), input16 = in_blocks(input), grad16 = in_blocks(grad);
    const std::vector<std::int64_t> ints = {g.sh, g.sw, g.ph, g.pw};
    set_num_threads(1);
    const Array y = in_blocks(convolve(Op::conv2d, input, weight, out, ints));
    const Array dx = in_blocks(convolve(Op::conv2d_grad_input, grad, weight, in, ints));
    const Array dw = convolve(Op::conv2d_grad_weight, grad, input, weight_dims, ints);
    for (int threads : {1, 2, 3}) {
      set_num_threads(threads);
      EXPECT_TRUE(same_bits(convolve(Op::conv2d, input16, weight, blocked_dims(out), ints), y)) << threads;
      EXPECT_TRUE(same_bits(convolve(Op::conv2d_grad_input, grad16, weight, blocked_dims(in), ints), dx)) << threads;
      EXPECT_TRUE(same_bits(convolve(Op::conv2d_grad_weight, grad16, input16, weight_dims, ints), dw)) << threads;
      EXPECT_TRUE(same_bits(convolve(Op::conv2d_grad_weight, grad16, input, weight_dims, ints), dw)) << threads;
      EXPECT_TRUE(same_bits(in_blocks(convolve(Op::conv2d, input, weight, out, ints)), y)) << threads;
      EXPECT_TRUE(same_bits(convolve(Op::conv2d_grad_weight, grad, input, weight_dims, ints), dw)) << threads;
    }
    set_num_threads(1);
  }
}

}  // namespace
}  // namespace swage::test
