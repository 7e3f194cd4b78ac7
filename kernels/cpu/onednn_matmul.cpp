#include <kernels/cpu/onednn.hpp>
#include <kernels/cpu/onednn_cache.hpp>

namespace swage {
namespace {

constexpr std::size_t kHeld = 64;  // shapes a thread

struct Key {
  std::int64_t m, k, n, a_row, a_col, b_row, b_col, c_row;
  friend bool operator==(const Key&, const Key&) = default;
};

struct Product {
  dnnl::matmul primitive;
  dnnl::memory a, b, c, scratch;
  std::size_t scratch_bytes = 0;
  std::unordered_map<int, dnnl::memory> arguments;
};

Product make(const Key& key, const dnnl::engine& engine) {
  using dnnl::memory;
  const auto f32 = memory::data_type::f32;
  const memory::desc a({key.m, key.k}, f32, {key.a_row, key.a_col});
  const memory::desc b({key.k, key.n}, f32, {key.b_row, key.b_col});
  const memory::desc c({key.m, key.n}, f32, {key.c_row, 1});
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const dnnl::matmul::primitive_desc desc(dnnl::matmul::desc(a, b, c), attr, engine);
  Product product;
  product.primitive = dnnl::matmul(desc);
  product.a = memory(a, engine, nullptr);
  product.b = memory(b, engine, nullptr);
  product.c = memory(c, engine, nullptr);
  product.scratch = memory(desc.scratchpad_desc(), engine, nullptr);
  product.scratch_bytes = desc.scratchpad_desc().get_size();
  product.arguments = {{DNNL_ARG_SRC, product.a},
                       {DNNL_ARG_WEIGHTS, product.b},
                       {DNNL_ARG_DST, product.c},
                       {DNNL_ARG_SCRATCHPAD, product.scratch}};
  return product;
}

}  // namespace

void onednn_product(const Matrix& a, const Matrix& b, const Matrix& c) {
  static thread_local LeastRecentlyUsed<Key, Product> held(kHeld);
  with_onednn([&] {
    OneDnnThread& thread = OneDnnThread::current();
    const Key key{c.rows, a.columns, c.columns, a.row_stride, a.column_stride, b.row_stride, b.column_stride, c.row_stride};
    Product& product = held.get(key, [&] { return make(key, thread.engine()); });
    product.a.set_data_handle(a.data);
    product.b.set_data_handle(b.data);
    product.c.set_data_handle(c.data);
    product.scratch.set_data_handle(thread.scratch(product.scratch_bytes));
    product.primitive.execute(thread.stream(), product.arguments);
  });
}

}  // namespace swage
