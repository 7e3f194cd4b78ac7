// Files: safetensors and the digits.
#include <cstring>
#include <filesystem>
#include <fstream>
#include <unistd.h>
#include <zlib.h>

#include <gtest/gtest.h>

#include <swage/swage.hpp>

namespace swage {
namespace {

namespace fs = std::filesystem;

class Files : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("swage_io_" + std::to_string(::getpid()) + "_" +
                                           ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string path(const std::string& name) const { return folder_ / name; }
  static std::string bytes(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static void write(const std::string& file, const std::string& data) { std::ofstream(file, std::ios::binary) << data; }
  static std::string with_header(const std::string& json, const std::string& data) {
    const std::uint64_t length = json.size();
    return std::string(reinterpret_cast<const char*>(&length), 8) + json + data;
  }
  static std::string error(const std::string& file) {
    try {
      load_safetensors(file);
    } catch (const IoError& error) {
      EXPECT_NE(std::string(error.what()).find(file), std::string::npos) << error.what();
      return error.what();
    }
    return "no error";
  }

  fs::path folder_;
};

TEST_F(Files, safetensors_round_trip) {
  const std::string file = path("a.safetensors");
  const Tensor f = randn({2, 3}), d = randn({2}, DType::f64), i = arange(4).reshape({2, 2}), b = tensor({true, false});
  save_safetensors(file, {{"f", f}, {"t", f.t()}, {"d", d}, {"i", i}, {"b", b}, {"empty", ones({0, 2})}, {"one", tensor(2.0)}},
                   {{"format", "swage"}});
  Metadata metadata;
  const auto loaded = load_safetensors(file, &metadata);
  ASSERT_EQ(loaded.size(), 7u);
  EXPECT_EQ(metadata, (Metadata{{"format", "swage"}}));
  for (const auto& [name, tensor] : loaded) {
    if (name == "f") {
      EXPECT_EQ(tensor.to_vector<float>(), f.to_vector<float>());
    }
    if (name == "t") {
      EXPECT_EQ(tensor.to_vector<float>(), f.t().to_vector<float>());
    }
    if (name == "d") {
      EXPECT_EQ(tensor.to_vector<double>(), d.to_vector<double>());
    }
    if (name == "i") {
      EXPECT_EQ(tensor.sizes(), i.sizes());
    }
    if (name == "b") {
      EXPECT_EQ(tensor.to_vector<bool>(), b.to_vector<bool>());
    }
    if (name == "empty") {
      EXPECT_EQ(tensor.sizes(), (Dims{0, 2}));
    }
    if (name == "one") {
      EXPECT_EQ(tensor.dim(), 0);
    }
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1);  // nothing left beside it
}

TEST_F(Files, safetensors_format_is_exact) {
  const std::string file = path("a.safetensors");
  save_safetensors(file, {{"w", tensor({1.0, 2.0})}});
  const std::string content = bytes(file);
  std::uint64_t length;
  std::memcpy(&length, content.data(), 8);
  EXPECT_EQ(length % 8, 0u);
  EXPECT_EQ(content.substr(8, 56), R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})" + std::string(2, ' '));
  EXPECT_EQ(content.size(), 8 + length + 8);
}

TEST_F(Files, damaged_safetensors) {
  const std::string file = path("bad.safetensors");
  EXPECT_NE(error(path("missing")).find("cannot be opened"), std::string::npos);
  write(file, "abc");
  EXPECT_NE(error(file).find("3 bytes"), std::string::npos);
  write(file, std::string(16, '\xff'));
  EXPECT_NE(error(file).find("header claims"), std::string::npos);
  write(file, with_header("{nonsense", ""));
  EXPECT_NE(error(file).find("not a JSON object"), std::string::npos);
  write(file, with_header(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", "1234"));
  EXPECT_NE(error(file).find("truncated"), std::string::npos);
  write(file, with_header(R"({"w":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", "12345678"));
  EXPECT_NE(error(file).find("8 bytes"), std::string::npos);
  write(file, with_header(R"({"w":{"dtype":"F8","shape":[8],"data_offsets":[0,8]}})", "12345678"));
  EXPECT_NE(error(file).find("F8"), std::string::npos);
  write(file, with_header(R"({"w":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", "12345678"));
  EXPECT_NE(error(file).find("impossible shape"), std::string::npos);
  write(file,
        with_header(R"({"w":{"dtype":"F32","shape":[281474976710656,281474976710656],"data_offsets":[0,8]}})", "12345678"));
  EXPECT_NE(error(file).find("impossible shape"), std::string::npos);
  write(file,
        with_header(
            R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}})",
            "123456"));
  EXPECT_NE(error(file).find("overlap"), std::string::npos);
  write(file, with_header(R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "12345678"));
  EXPECT_NE(error(file).find("belong to no tensor"), std::string::npos);
  write(file, with_header(R"({"w":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}})", "\x07"));
  EXPECT_NE(error(file).find("no bool"), std::string::npos);
  write(file, with_header(R"({"w":{"shape":[1]}})", ""));
  EXPECT_NE(error(file).find("lacks"), std::string::npos);

  const std::string good = path("good.safetensors");
  save_safetensors(good, {{"w", ones({3})}, {"v", ones({2})}});
  const std::string content = bytes(good);
  for (std::size_t length = 0; length < content.size(); ++length) {
    write(file, content.substr(0, length));
    EXPECT_THROW(load_safetensors(file), IoError) << length;
  }
}

TEST_F(Files, saving_fails_whole) {
  EXPECT_THROW(save_safetensors(path("no/such/folder"), {{"w", ones({1})}}), IoError);
  EXPECT_THROW(save_safetensors(path("a"), {{"w", ones({1})}, {"w", ones({1})}}), ValueError);
  EXPECT_THROW(save_safetensors(path("a"), {{"__metadata__", ones({1})}}), ValueError);
  EXPECT_FALSE(fs::exists(path("a")));
}

TEST_F(Files, modules) {
  nn::Sequential a(nn::Conv2d(1, 2, 3), nn::BatchNorm2d(2)), b(nn::Conv2d(1, 2, 3), nn::BatchNorm2d(2));
  a(randn({2, 1, 4, 4}));
  a.save(path("net.safetensors"));
  b.load(path("net.safetensors"));
  a.eval(), b.eval();
  const Tensor x = randn({1, 1, 4, 4});
  EXPECT_EQ(a(x).to_vector<float>(), b(x).to_vector<float>());
}

TEST_F(Files, digits) {
  const std::string file = path("digits.csv.gz");
  std::string line;
  for (int i = 0; i < 64; ++i) line += std::to_string(i % 17) + ",";
  gzFile out = gzopen(file.c_str(), "wb");
  const std::string text = line + "7\n" + line + "0\n";
  gzwrite(out, text.data(), static_cast<unsigned>(text.size()));
  gzclose(out);
  const data::Digits digits = data::load_digits(file);
  EXPECT_EQ(digits.images.sizes(), (Dims{2, 1, 8, 8}));
  EXPECT_EQ(digits.labels.to_vector<std::int64_t>(), (std::vector<std::int64_t>{7, 0}));
  EXPECT_EQ(digits.images.to_vector<float>()[16], 1.0f);
  write(path("bad.csv"), line + "7\n1,2\n");
  EXPECT_THROW(data::load_digits(path("bad.csv")), IoError);
  write(path("high.csv"), line + "11\n");
  EXPECT_THROW(data::load_digits(path("high.csv")), IoError);
  const std::string zipped = bytes(file);
  write(path("cut.csv.gz"), zipped.substr(0, zipped.size() - 12));
  EXPECT_THROW(data::load_digits(path("cut.csv.gz")), IoError);
  EXPECT_THROW(data::load_digits(path("none")), IoError);
}

}  // namespace
}  // namespace swage
