#include <kernels/cpu/contraction.hpp>

#include <algorithm>
#include <cstring>
#include <optional>

#include <kernels/cpu/convolution.hpp>
#include <kernels/cpu/direct_convolution.hpp>
#include <kernels/cpu/layout.hpp>
#include <kernels/cpu/onednn.hpp>
#include <kernels/cpu/simd_table.hpp>
#include <runtime/core/thread_pool.hpp>

namespace swage {
namespace {

// Below, a second thread costs more than it saves (multiply-adds).
constexpr std::int64_t kParallelWork = 1 << 20;
// Places of the output. Up to the first, direct convolutions win in every direction; up to the second, as gradients of a weight
// (beyond, the list of what is multiplied leaves the caches).
constexpr std::int64_t kSmallImage = 16, kListedImage = 2048;
constexpr std::int64_t kGrain = 16;         // parts of a product begin at multiples of it
constexpr std::int64_t kChannelGrain = 16;  // parts of a gradient of a convolution's weight

struct Matrix {
  void* data;
  std::int64_t rows, columns;
  std::int64_t row_stride, column_stride;  // in elements
};

std::int64_t round_up(std::int64_t x, std::int64_t grain) { return (x + grain - 1) / grain * grain; }

// Calls f on each part of [0, whole). Parts are those of the decision whatever the number of workers that turn up.
template <class F>
void for_parts(std::int64_t whole, std::int64_t part, F&& f) {
  parallel_for(whole, part, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; i += part) f(i, std::min(i + part, end));
  });
}

// The last two dimensions. Strides of dimensions of extent 1 mean nothing; they are made those of plain form.
Matrix matrix_of(const KernelView& view) {
  const ViewDesc& desc = *view.desc;
  const int row = desc.rank() - 2, column = row + 1;
  Matrix matrix{view.data, desc.dims[row], desc.dims[column], desc.strides[row], desc.strides[column]};
  if (matrix.columns == 1) matrix.column_stride = 1;
  if (matrix.rows == 1) matrix.row_stride = std::max<std::int64_t>(matrix.columns, 1);
  return matrix;
}

MatrixLayout layout_of(const Matrix& x) {
  if (x.column_stride == 1 && x.row_stride >= x.columns) return MatrixLayout::plain;
  if ((x.row_stride == 1 || x.rows == 1) && x.column_stride >= x.rows) return MatrixLayout::transposed;
  return MatrixLayout::scattered;
}

Matrix rows_of(Matrix x, std::int64_t begin, std::int64_t end, std::int64_t size) {
  x.data = static_cast<char*>(x.data) + begin * x.row_stride * size;
  x.rows = end - begin;
  return x;
}

Matrix columns_of(Matrix x, std::int64_t begin, std::int64_t end, std::int64_t size) {
  x.data = static_cast<char*>(x.data) + begin * x.column_stride * size;
  x.columns = end - begin;
  return x;
}

// Memory for the parts of a product that run at once.
class PackingSpace {
 public:
  PackingSpace(const Matrix& a, int parts) {
    if (gemm_packs(a.rows, a.columns)) space_.emplace(kGemmScratch * static_cast<std::size_t>(parts));
  }
  void* of(std::int64_t part) const {
    return space_ ? space_->as<char>() + static_cast<std::size_t>(part) * kGemmScratch : nullptr;
  }

 private:
  std::optional<Scratch> space_;
};

// `next_a`, `next_b`: operands of another such product that follows, or null.
void own_product(const Matrix& a, const Matrix& b, const Matrix& c, DType dtype, void* space, const void* next_a = nullptr,
                 const void* next_b = nullptr) {
  GemmRun run;
  run.m = c.rows;
  run.n = c.columns;
  run.k = a.columns;
  run.a = a.data;
  run.a_row = a.row_stride;
  run.a_col = a.column_stride;
  run.b = b.data;
  run.b_row = b.row_stride;
  run.b_col = b.column_stride;
  run.c = c.data;
  run.c_row = c.row_stride;
  run.scratch = space;
  run.next_a = next_a;
  run.next_b = next_b;
  simd().gemm[static_cast<int>(dtype)](run);
}

// A row times a matrix whose columns are dense, or the transpose of that.
void own_dots(const Matrix& a, const Matrix& b, const Matrix& c, DType dtype) {
  const bool row = c.rows == 1;
  const Matrix &vector = row ? a : b, &matrix = row ? b : a;
  const std::int64_t k = a.columns, step = row ? a.column_stride : b.row_stride;
  const auto size = static_cast<std::int64_t>(size_of(dtype));
  GemmRun run;
  run.m = 1;
  run.n = row ? c.columns : c.rows;
  run.k = k;
  run.b = matrix.data;
  run.b_row = 1;
  run.b_col = row ? matrix.column_stride : matrix.row_stride;
  run.c = c.data;
  run.a_col = 1;
  run.a = vector.data;
  std::optional<Scratch> copy;
  if (step != 1 && k > 1) {
    copy.emplace(static_cast<std::size_t>(k * size));
    for (std::int64_t p = 0; p < k; ++p)
      std::memcpy(copy->as<char>() + p * size, static_cast<const char*>(vector.data) + p * step * size,
                  static_cast<std::size_t>(size));
    run.a = copy->as<void>();
  }
  simd().dots[static_cast<int>(dtype)](run);
}

}  // namespace

ContractionDecision decide(const ContractionQuery& query) {
  ContractionDecision decision;
  const bool f32 = query.dtype == DType::f32;
  std::int64_t whole = query.m;
  if (query.op == Op::matmul) {
    const std::int64_t work = query.m * query.k * query.n;
    if (work == 0)
      decision.implementation = Implementation::zeros;
    else if ((query.m == 1 && query.n > 1 && query.b == MatrixLayout::transposed) ||
             (query.n == 1 && query.m > 1 && query.a == MatrixLayout::plain))
      decision.implementation = Implementation::dots;
    else
      decision.implementation = Implementation::own;
    decision.columns = query.n > query.m;
    whole = decision.columns ? query.n : query.m;
    decision.part = whole;
    if (query.threads > 1 && work >= kParallelWork && whole >= 2 * kGrain)
      decision.part = round_up((whole + query.threads - 1) / query.threads, kGrain);
  } else {
    const std::int64_t work = query.images * query.in_channels * query.out_channels * query.places * query.taps;
    const bool by_weight = query.op == Op::conv2d_grad_weight;
    if (work == 0)
      decision.implementation = Implementation::zeros;
    else if (f32 && query.taps > 1 && query.places <= (by_weight ? kListedImage : kSmallImage) &&
             direct_convolution_fits(query.op, query.in_channels, query.out_channels))
      decision.implementation = Implementation::direct;
    else
      decision.implementation = f32 ? Implementation::onednn : Implementation::own;
    // A gradient of the weight adds over images: it is split by what it is a row of, the output channels.
    const bool direct = decision.implementation == Implementation::direct;
    whole = direct      ? direct_convolution_units(query.op, query.images, query.in_channels, query.out_channels)
            : by_weight ? query.out_channels
                        : query.images;
    decision.part = whole;
    if (query.threads > 1 && work >= kParallelWork) {
      const std::int64_t part = (whole + query.threads - 1) / query.threads;
      if (direct || !by_weight)
        decision.part = part;
      else if (f32 && whole % kChannelGrain == 0)
        decision.part = round_up(part, kChannelGrain);
    }
  }
  decision.parts = decision.part > 0 ? static_cast<int>((whole + decision.part - 1) / decision.part) : 1;
  return decision;
}

namespace {

ContractionQuery query_of(const Matrix& a, const Matrix& b, const Matrix& c, DType dtype) {
  ContractionQuery query;
  query.dtype = dtype;
  query.threads = num_threads();
  query.m = c.rows;
  query.k = a.columns;
  query.n = c.columns;
  query.a = layout_of(a);
  query.b = layout_of(b);
  return query;
}

// The offset, in elements, of matrix `index` of a batch.
std::int64_t batch_offset(const ViewDesc& desc, std::int64_t index) {
  std::int64_t offset = 0;
  for (int d = desc.rank() - 3; d >= 0; --d) {
    offset += index % desc.dims[d] * desc.strides[d];
    index /= desc.dims[d];
  }
  return offset;
}

// A batch of products: each is computed as it would be alone, and threads split the batch.
void run_batch(const KernelArgs& args) {
  const ViewDesc& result = *args.result.desc;
  const DType dtype = result.dtype;
  const auto size = static_cast<std::int64_t>(size_of(dtype));
  std::int64_t count = 1;
  for (int d = 0; d < result.rank() - 2; ++d) count *= result.dims[d];
  if (count == 0) return;
  Matrix a = matrix_of(args.operands[0]), b = matrix_of(args.operands[1]);
  const Matrix c = matrix_of(args.result);
  ContractionQuery query = query_of(a, b, c, dtype);
  query.threads = 1;
  const Implementation implementation = decide(query).implementation;
  if (implementation == Implementation::zeros) {
    if (c.rows * c.columns > 0) std::memset(c.data, 0, static_cast<std::size_t>(count * c.rows * c.columns * size));
    return;
  }
  const int threads = num_threads();
  const bool split = threads > 1 && count > 1 && count * query.m * query.k * query.n >= kParallelWork;
  const std::int64_t part = split ? (count + threads - 1) / threads : count;
  const PackingSpace space(a, split ? threads : 1);
  for_parts(count, part, [&](std::int64_t begin, std::int64_t end) {
    const auto moved = [&](Matrix x, const ViewDesc& desc, std::int64_t index) {
      x.data = static_cast<char*>(x.data) + batch_offset(desc, index) * size;
      return x;
    };
    Matrix left = moved(a, *args.operands[0].desc, begin), right = moved(b, *args.operands[1].desc, begin);
    for (std::int64_t i = begin; i < end; ++i) {
      const Matrix to = moved(c, result, i), next_left = moved(a, *args.operands[0].desc, i + 1),
                   next_right = moved(b, *args.operands[1].desc, i + 1);
      if (implementation == Implementation::dots)
        own_dots(left, right, to, dtype);
      else if (i + 1 < end)
        own_product(left, right, to, dtype, space.of(begin / part), next_left.data, next_right.data);
      else
        own_product(left, right, to, dtype, space.of(begin / part));
      left = next_left;
      right = next_right;
    }
  });
}

}  // namespace

void run_matmul(const KernelArgs& args) {
  if (args.result.desc->rank() > 2) return run_batch(args);
  const DType dtype = args.result.desc->dtype;
  const auto size = static_cast<std::int64_t>(size_of(dtype));
  const Matrix a = matrix_of(args.operands[0]), b = matrix_of(args.operands[1]), c = matrix_of(args.result);
  const ContractionDecision decision = decide(query_of(a, b, c, dtype));
  if (decision.implementation == Implementation::zeros) {
    if (c.rows * c.columns > 0) std::memset(c.data, 0, static_cast<std::size_t>(c.rows * c.columns * size));
    return;
  }
  const PackingSpace space(a, decision.parts);
  const auto product = [&](const Matrix& left, const Matrix& right, const Matrix& to, std::int64_t part) {
    if (decision.implementation == Implementation::dots)
      own_dots(left, right, to, dtype);
    else
      own_product(left, right, to, dtype, space.of(part));
  };
  if (decision.parts == 1) return product(a, b, c, 0);
  for_parts(decision.columns ? c.columns : c.rows, decision.part, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t part = begin / decision.part;
    if (decision.columns)
      product(a, columns_of(b, begin, end, size), columns_of(c, begin, end, size), part);
    else
      product(rows_of(a, begin, end, size), b, rows_of(c, begin, end, size), part);
  });
}

void run_conv2d(const KernelArgs& args) {
  ConvShape shape = conv_shape(args);
  const auto size = static_cast<std::int64_t>(size_of(args.result.desc->dtype));
  ContractionQuery query;
  query.op = args.key->op;
  query.dtype = args.result.desc->dtype;
  query.threads = num_threads();
  query.images = shape.images;
  query.in_channels = shape.in_channels;
  query.out_channels = shape.out_channels;
  query.places = shape.out_height * shape.out_width;
  query.taps = shape.kernel_height * shape.kernel_width;
  const ContractionDecision decision = decide(query);
  if (decision.implementation == Implementation::zeros) {
    const std::int64_t bytes = elements(*args.result.desc) * size;
    if (bytes > 0) std::memset(args.result.data, 0, static_cast<std::size_t>(bytes));
    return;
  }
  std::optional<Scratch> copies[2];
  void* data[3] = {args.operands[0].data, args.operands[1].data, args.result.data};
  for (int k = 0; k < 2; ++k) {
    if (dense(*args.operands[k].desc)) continue;
    copies[k].emplace(static_cast<std::size_t>(elements(*args.operands[k].desc) * size));
    copy_dense(args.operands[k], copies[k]->as<void>());
    data[k] = copies[k]->as<void>();
  }
  unsigned blocked = args.result.desc->rank() == 5 ? 4 : 0;
  for (unsigned k = 0; k < 2; ++k) blocked |= (args.operands[k].desc->rank() == 5) << k;
  const auto run = [&](const ConvShape& part, const void* first, const void* second, void* result) {
    if (decision.implementation == Implementation::onednn)
      onednn_convolution(query.op, part, blocked, first, second, result);
    else
      own_convolution(query.op, part, first, second, result);
  };
  if (decision.implementation == Implementation::direct)
    return direct_convolution(query.op, shape, blocked, decision.part, data[0], data[1], data[2]);
  if (decision.parts == 1) return run(shape, data[0], data[1], data[2]);
  if (query.op == Op::conv2d_grad_weight) {  // only oneDNN's is split
    const std::int64_t pixels = shape.out_height * shape.out_width * size;
    const std::int64_t taps = shape.in_channels * shape.kernel_height * shape.kernel_width * size;
    return for_parts(shape.out_channels, decision.part, [&](std::int64_t begin, std::int64_t end) {
      ConvShape part = shape;
      part.out_channels = end - begin;
      run(part, static_cast<char*>(data[0]) + begin * pixels, data[1], static_cast<char*>(data[2]) + begin * taps);
    });
  }
  // Forward and by input: operand 0 and the result are split by images, the weight is shared.
  const std::int64_t image_in = elements(*args.operands[0].desc) / shape.images * size;
  const std::int64_t image_out = elements(*args.result.desc) / shape.images * size;
  for_parts(shape.images, decision.part, [&](std::int64_t begin, std::int64_t end) {
    ConvShape part = shape;
    part.images = end - begin;
    run(part, static_cast<char*>(data[0]) + begin * image_in, data[1], static_cast<char*>(data[2]) + begin * image_out);
  });
}

}  // namespace swage
