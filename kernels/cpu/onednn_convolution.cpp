#include <array>
#include <optional>

#include <kernels/cpu/onednn.hpp>
#include <kernels/cpu/onednn_cache.hpp>

namespace swage {
namespace {

using dnnl::memory;

constexpr std::size_t kHeld = 64;  // shapes a thread

struct Key {
  std::uint32_t op, blocked;
  ConvShape shape;
  friend bool operator==(const Key&, const Key&) = default;
};

// One side of the primitive: the user's tensor and, where the primitive wants another layout, a copy in that.
struct Side {
  memory outer, inner;
  std::size_t bytes = 0;  // of the copy; 0 where the tensor itself serves
  std::optional<dnnl::reorder> reorder;
  std::unordered_map<int, memory> arguments;  // of the reorder
};

struct Convolution {
  dnnl::primitive primitive;
  std::array<Side, 3> sides;  // operands, result
  memory scratch;
  std::size_t scratch_bytes = 0;
  std::unordered_map<int, memory> arguments;
};

std::size_t padded(std::size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

Side make_side(const memory::desc& outer, const memory::desc& inner, bool result, const dnnl::engine& engine) {
  Side side;
  side.outer = memory(outer, engine, nullptr);
  if (outer == inner) {
    side.inner = side.outer;
    return side;
  }
  side.inner = memory(inner, engine, nullptr);
  side.bytes = padded(inner.get_size());
  const memory &from = result ? side.inner : side.outer, &to = result ? side.outer : side.inner;
  side.reorder = dnnl::reorder(from, to);
  side.arguments = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
  return side;
}

Convolution make(Op op, const ConvShape& s, unsigned blocked, const dnnl::engine& engine) {
  const auto f32 = memory::data_type::f32;
  using Tag = memory::format_tag;
  const memory::dims input{s.images, s.in_channels, s.in_height, s.in_width};
  const memory::dims weight{s.out_channels, s.in_channels, s.kernel_height, s.kernel_width};
  const memory::dims output{s.images, s.out_channels, s.out_height, s.out_width};
  const memory::dims strides{s.stride_height, s.stride_width};
  const memory::dims padding{s.pad_height, s.pad_width};
  const memory::desc any_input(input, f32, Tag::any), any_weight(weight, f32, Tag::any), any_output(output, f32, Tag::any);
  const memory::desc plain_weight(weight, f32, Tag::oihw);
  const auto activation = [&](const memory::dims& dims, int side) {
    return memory::desc(dims, f32, blocked >> side & 1 ? Tag::nChw16c : Tag::nchw);
  };
  const auto gradient = [&] {  // a stretch of its channels, in either layout
    return activation({s.images, s.held_channels, s.out_height, s.out_width}, 0).submemory_desc(output, {0, 0, 0, 0});
  };
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const auto algorithm = dnnl::algorithm::convolution_direct;

  const dnnl::convolution_forward::primitive_desc forward(
      dnnl::convolution_forward::desc(dnnl::prop_kind::forward_training, algorithm, any_input, any_weight, any_output, strides,
                                      padding, padding),
      attr, engine);
  Convolution conv;
  const auto finish = [&](const auto& desc, auto primitive, std::array<memory::desc, 3> outer,
                          std::array<memory::desc, 3> inner, std::array<int, 3> names) {
    conv.primitive = primitive;
    for (std::size_t i = 0; i < 3; ++i) {
      conv.sides[i] = make_side(outer[i], inner[i], i == 2, engine);
      conv.arguments.emplace(names[i], conv.sides[i].inner);
    }
    conv.scratch = memory(desc.scratchpad_desc(), engine, nullptr);
    conv.scratch_bytes = desc.scratchpad_desc().get_size();
    conv.arguments.emplace(DNNL_ARG_SCRATCHPAD, conv.scratch);
  };
  if (op == Op::conv2d) {
    finish(forward, dnnl::convolution_forward(forward), {activation(input, 0), plain_weight, activation(output, 2)},
           {forward.src_desc(), forward.weights_desc(), forward.dst_desc()}, {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST});
  } else if (op == Op::conv2d_grad_input) {
    const dnnl::convolution_backward_data::primitive_desc desc(
        dnnl::convolution_backward_data::desc(algorithm, any_input, any_weight, any_output, strides, padding, padding), attr,
        engine, forward);
    finish(desc, dnnl::convolution_backward_data(desc), {activation(output, 0), plain_weight, activation(input, 2)},
           {desc.diff_dst_desc(), desc.weights_desc(), desc.diff_src_desc()},
           {DNNL_ARG_DIFF_DST, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_SRC});
  } else {
    const dnnl::convolution_backward_weights::primitive_desc desc(
        dnnl::convolution_backward_weights::desc(algorithm, any_input, any_weight, any_output, strides, padding, padding), attr,
        engine, forward);
    finish(desc, dnnl::convolution_backward_weights(desc), {gradient(), activation(input, 1), plain_weight},
           {desc.diff_dst_desc(), desc.src_desc(), desc.diff_weights_desc()},
           {DNNL_ARG_DIFF_DST, DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS});
  }
  return conv;
}

}  // namespace

void onednn_convolution(Op op, const ConvShape& shape, unsigned blocked, const void* first, const void* second, void* result) {
  static thread_local LeastRecentlyUsed<Key, Convolution> held(kHeld);
  with_onednn([&] {
    OneDnnThread& thread = OneDnnThread::current();
    Convolution& conv =
        held.get({static_cast<std::uint32_t>(op), blocked, shape}, [&] { return make(op, shape, blocked, thread.engine()); });
    char* scratch = thread.scratch(conv.scratch_bytes + conv.sides[0].bytes + conv.sides[1].bytes + conv.sides[2].bytes);
    void* const user[] = {const_cast<void*>(first), const_cast<void*>(second), result};
    for (std::size_t i = 0; i < 3; ++i) {
      Side& side = conv.sides[i];
      side.outer.set_data_handle(user[i]);
      if (!side.reorder) continue;
      side.inner.set_data_handle(scratch);
      scratch += side.bytes;
      if (i < 2) side.reorder->execute(thread.stream(), side.arguments);
    }
    conv.scratch.set_data_handle(scratch);
    conv.primitive.execute(thread.stream(), conv.arguments);
    if (conv.sides[2].reorder) conv.sides[2].reorder->execute(thread.stream(), conv.sides[2].arguments);
  });
}

}  // namespace swage
