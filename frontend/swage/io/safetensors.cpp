#include <swage/io/safetensors.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include <runtime/core/error.hpp>
#include <swage/autograd/grad_mode.hpp>
#include <swage/creation.hpp>
#include <swage/detail/call.hpp>

namespace swage {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kMaxHeader = 100'000'000;  // bytes, the format's own bound

const char* type_name(DType dtype) {
  constexpr const char* names[] = {"BOOL", "I64", "F32", "F64"};
  return names[static_cast<int>(dtype)];
}

// A file under a passing name, removed again unless it was put in place.
class NewFile {
 public:
  NewFile(std::string path, CallSite site) : path_(std::move(path)), passing_(path_ + ".XXXXXX"), site_(site) {
    fd_ = ::mkstemp(passing_.data());
    if (fd_ < 0) broken("cannot be created");
    ::fchmod(fd_, 0644);
  }
  ~NewFile() {
    if (fd_ >= 0) ::close(fd_);
    if (!in_place_ && !passing_.empty()) ::unlink(passing_.c_str());
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  void write(const void* data, std::size_t bytes) {
    const char* at = static_cast<const char*>(data);
    while (bytes > 0) {
      const ssize_t done = ::write(fd_, at, bytes);
      if (done < 0 && errno == EINTR) continue;
      if (done <= 0) broken("cannot be written");
      at += done;
      bytes -= static_cast<std::size_t>(done);
    }
  }
  void put_in_place() {
    if (::fsync(fd_) != 0) broken("cannot be written");
    if (::close(std::exchange(fd_, -1)) != 0) broken("cannot be written");
    if (::rename(passing_.c_str(), path_.c_str()) != 0) broken("cannot be put in place");
    in_place_ = true;
  }

 private:
  [[noreturn]] void broken(const char* what) const {
    raise<IoError>(site_, "[save_safetensors] {} {}: {}", path_, what, std::strerror(errno));
  }
  std::string path_, passing_;
  CallSite site_;
  int fd_ = -1;
  bool in_place_ = false;
};

struct Reader {
  const std::string& path;
  CallSite site;
  std::ifstream file;

  template <class... Args>
  [[noreturn]] void wrong(fmt::format_string<Args...> format, Args&&... args) const {
    raise<IoError>(site, "[load_safetensors] {}: {}", path, fmt::format(format, std::forward<Args>(args)...));
  }
};

struct Entry {
  std::string name;
  DType dtype = DType::f32;
  Dims sizes;
  std::uint64_t begin = 0, end = 0;
};

Entry read_entry(const Reader& reader, const std::string& name, const Json& json, std::uint64_t data_bytes) {
  Entry entry;
  entry.name = name;
  if (!json.is_object() || !json.contains("dtype") || !json.contains("shape") || !json.contains("data_offsets"))
    reader.wrong("the entry of '{}' lacks dtype, shape or data_offsets", name);
  const Json &dtype = json["dtype"], &shape = json["shape"], &offsets = json["data_offsets"];
  bool known = false;
  for (int i = 0; i < kDTypes; ++i)
    if (dtype.is_string() && dtype.get<std::string>() == type_name(static_cast<DType>(i))) {
      entry.dtype = static_cast<DType>(i);
      known = true;
    }
  if (!known) reader.wrong("'{}' has type {}; F32, F64, I64 and BOOL can be read", name, dtype.dump());
  if (!shape.is_array() || shape.size() > kMaxRank)
    reader.wrong("'{}' has a shape of more than {} extents, or none", name, kMaxRank);
  std::uint64_t bytes = size_of(entry.dtype);
  for (const Json& extent : shape) {
    if (!extent.is_number_unsigned() || extent.get<std::uint64_t>() > (std::uint64_t{1} << 48))
      reader.wrong("'{}' has an impossible shape, {}", name, shape.dump());
    entry.sizes.push_back(extent.get<std::int64_t>());
    if (__builtin_mul_overflow(bytes, extent.get<std::uint64_t>(), &bytes))
      reader.wrong("'{}' has an impossible shape, {}", name, shape.dump());
  }
  if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() || !offsets[1].is_number_unsigned())
    reader.wrong("'{}' has no valid data_offsets", name);
  entry.begin = offsets[0].get<std::uint64_t>();
  entry.end = offsets[1].get<std::uint64_t>();
  if (entry.begin > entry.end || entry.end > data_bytes)
    reader.wrong("'{}' lies at bytes {} to {}, but the file holds {} bytes of data: it is truncated or damaged", name,
                 entry.begin, entry.end, data_bytes);
  if (entry.end - entry.begin != bytes)
    reader.wrong("'{}' has {} bytes, but its shape and type need {}", name, entry.end - entry.begin, bytes);
  return entry;
}

}  // namespace

void save_safetensors(const std::string& path, const NamedTensorList& tensors, const Metadata& metadata) {
  const SiteScope scope(caller());
  const CallSite site = SiteScope::or_else({});
  NoGradGuard no_grad;
  Json header = Json::object();
  if (!metadata.empty()) {
    Json& entries = header["__metadata__"] = Json::object();
    for (const auto& [key, value] : metadata) entries[key] = value;
  }
  std::vector<Tensor> rows;
  std::uint64_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    detail::require_defined(site, "save_safetensors", tensor, "'" + name + "'");
    if (name == "__metadata__" || header.contains(name))
      raise<ValueError>(site, "[save_safetensors] the name '{}' is reserved or given twice", name);
    rows.push_back(tensor.contiguous());
    const std::uint64_t bytes = static_cast<std::uint64_t>(tensor.numel()) * size_of(tensor.dtype());
    Json shape = Json::array();
    for (std::int64_t extent : tensor.sizes()) shape.push_back(extent);
    header[name] = {{"dtype", type_name(tensor.dtype())}, {"shape", shape}, {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const Json::exception&) {
    raise<ValueError>(site, "[save_safetensors] names and metadata must be UTF-8");
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');
  NewFile file(path, site);
  const std::uint64_t length = text.size();
  file.write(&length, sizeof length);
  file.write(text.data(), text.size());
  for (const Tensor& tensor : rows) {
    detail::stream().read(*tensor.value(), site);
    file.write(tensor.value()->address(), static_cast<std::size_t>(tensor.numel()) * size_of(tensor.dtype()));
  }
  file.put_in_place();
}

NamedTensorList load_safetensors(const std::string& path, Metadata* metadata) {
  const SiteScope scope(caller());
  Reader reader{path, SiteScope::or_else({}), std::ifstream(path, std::ios::binary | std::ios::ate)};
  if (!reader.file) reader.wrong("cannot be opened: {}", std::strerror(errno));
  const auto end = reader.file.tellg();
  if (end < 0) reader.wrong("cannot be read");
  const auto file_bytes = static_cast<std::uint64_t>(end);
  reader.file.seekg(0);
  std::uint64_t header_bytes = 0;
  if (file_bytes < 8 || !reader.file.read(reinterpret_cast<char*>(&header_bytes), 8))
    reader.wrong("the file has {} bytes and cannot be in safetensors format", file_bytes);
  if (header_bytes > kMaxHeader || header_bytes > file_bytes - 8)
    reader.wrong("the header claims {} bytes of a file of {}: truncated, or not in safetensors format", header_bytes,
                 file_bytes);
  std::string text(header_bytes, '\0');
  if (!reader.file.read(text.data(), static_cast<std::streamsize>(header_bytes))) reader.wrong("cannot be read");
  const Json header = Json::parse(text, nullptr, false);
  if (header.is_discarded() || !header.is_object()) reader.wrong("the header is not a JSON object");
  const std::uint64_t data_bytes = file_bytes - 8 - header_bytes;

  std::vector<Entry> entries;
  for (const auto& [name, json] : header.items()) {
    if (name != "__metadata__") {
      entries.push_back(read_entry(reader, name, json, data_bytes));
      continue;
    }
    if (!json.is_object()) reader.wrong("__metadata__ is not an object of strings");
    for (const auto& [key, value] : json.items()) {
      if (!value.is_string()) reader.wrong("__metadata__ is not an object of strings");
      if (metadata) metadata->emplace_back(key, value.get<std::string>());
    }
  }
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry& a, const Entry& b) { return a.begin != b.begin ? a.begin < b.begin : a.end < b.end; });
  std::uint64_t at = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != at) reader.wrong("the bytes of '{}' overlap others or leave a gap", entry.name);
    at = entry.end;
  }
  if (at != data_bytes) reader.wrong("{} bytes at the end belong to no tensor", data_bytes - at);

  NamedTensorList tensors;
  std::vector<char> buffer;
  for (const Entry& entry : entries) {
    buffer.resize(entry.end - entry.begin);
    if (!reader.file.read(buffer.data(), static_cast<std::streamsize>(buffer.size()))) reader.wrong("cannot be read");
    if (entry.dtype == DType::boolean)
      for (char& byte : buffer)
        if (byte != 0 && byte != 1) reader.wrong("'{}' holds a byte that is no bool", entry.name);
    tensors.emplace_back(entry.name, from_blob(buffer.data(), entry.sizes, entry.dtype));
  }
  return tensors;
}

}  // namespace swage
