// Gradient rules of the contractions. Transposes are views.
#include <swage/autograd/rules.hpp>
#include <swage/detail/call.hpp>
#include <swage/products.hpp>

namespace swage::autograd {

namespace {

using C = const RuleContext&;

// Whether the matrices of the operand are stored by columns: then its gradient is computed transposed, so that the gradient of
// what it is a transpose of comes out row-major.
bool by_columns(const ViewDesc& desc) {
  const int row = desc.rank() - 2, column = row + 1;
  return desc.strides[row] == 1 && desc.strides[column] >= desc.dims[row] && desc.dims[column] > 1 && desc.dims[row] > 1;
}

Tensor transposed(const Tensor& a) { return a.transpose(-1, -2); }

Tensor matmul_gradient(C c, int k) {
  const Tensor& grad = c.grad();
  if (k == 0) {
    const Tensor b = c.tensor(1);
    if (by_columns(c.operand_desc(0))) return transposed(matmul(b, transposed(grad)));
    return matmul(grad, transposed(b));
  }
  const Tensor a = c.tensor(0);
  if (by_columns(c.operand_desc(1))) return transposed(matmul(transposed(grad), a));
  return matmul(transposed(a), grad);
}

// Integers of a convolution: stride and padding, and for the gradient ops the extents of what they compute.
detail::Attr window(C c, const Dims* extents = nullptr) {
  detail::Attr attr;
  attr.ints.append(std::span(c.attribute().ints).first(4));
  if (extents) attr.ints.append(extents->span());
  return attr;
}
Tensor forward(C c, const Tensor& input, const Tensor& weight) {
  const detail::Attr attr = window(c);
  return detail::call({}, Op::conv2d, {input, weight}, &attr);
}
Tensor input_gradient(C c, const Tensor& grad, const Tensor& weight, const Dims& input) {
  const detail::Attr attr = window(c, &input);
  return detail::call({}, Op::conv2d_grad_input, {grad, weight}, &attr);
}
Tensor weight_gradient(C c, const Tensor& grad, const Tensor& input, const Dims& weight) {
  const detail::Attr attr = window(c, &weight);
  return detail::call({}, Op::conv2d_grad_weight, {grad, input}, &attr);
}

}  // namespace

void add_contraction_rules(RuleTable& table) {
  const auto add = [&](Op op, std::array<std::uint8_t, 3> reads, Tensor (*gradient)(C, int)) {
    table[static_cast<std::size_t>(op)] = {reads, gradient};
  };
  add(Op::matmul, {kReads1, kReads0}, matmul_gradient);
  // All three convolutions are the same trilinear form of (input, weight, grad): each one's gradients are the other two.
  add(Op::conv2d, {kReads1, kReads0}, [](C c, int k) {
    return k == 0 ? input_gradient(c, c.grad(), c.tensor(1), c.operand_desc(0).dims)
                  : weight_gradient(c, c.grad(), c.tensor(0), c.operand_desc(1).dims);
  });
  add(Op::conv2d_grad_input, {kReads1, kReads0}, [](C c, int k) {
    return k == 0 ? forward(c, c.grad(), c.tensor(1)) : weight_gradient(c, c.tensor(0), c.grad(), c.operand_desc(1).dims);
  });
  add(Op::conv2d_grad_weight, {kReads1, kReads0}, [](C c, int k) {
    return k == 0 ? forward(c, c.tensor(1), c.grad()) : input_gradient(c, c.tensor(0), c.grad(), c.operand_desc(1).dims);
  });
}

}  // namespace swage::autograd
