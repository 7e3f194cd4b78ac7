#include <runtime/cache/bundle.hpp>

#include <array>
#include <cstring>

#include <fmt/format.h>

#include <runtime/cache/digest.hpp>
#include <runtime/core/error.hpp>

namespace swage {
namespace {

constexpr std::array<char, 8> kMagic = {'s', 'w', 'p', 'l', 'a', 'n', 's', '\n'};
constexpr std::uint32_t kVersion = 1;

// Before the entries, each behind its sizes.
struct Header {
  std::array<char, 8> magic = kMagic;
  std::uint32_t version = kVersion, unused = 0;
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;  // of all that follows
  std::uint64_t sum = 0;    // of that, and of the numbers above
};
static_assert(sizeof(Header) == 40);

struct Sizes {
  std::uint64_t name = 0, entry = 0;
};

std::uint64_t sum_of(const Header& header, std::string_view rest) {
  return digest(rest, mix_word(mix_word(header.version, header.entries), header.bytes + header.unused));
}

template <class T>
bool take(std::string_view& bytes, T& value) {
  if (bytes.size() < sizeof value) return false;
  std::memcpy(static_cast<void*>(&value), bytes.data(), sizeof value);
  bytes.remove_prefix(sizeof value);
  return true;
}

}  // namespace

std::string bundle(const std::vector<BundledEntry>& entries) {
  Header header;
  std::string bytes(sizeof header, '\0');
  for (const auto& [kind, entry] : entries) {
    const EntryKey key{kind, entry.environment, entry.key};
    const std::string name = name_of(key), content = encode(key, entry.payload);
    const Sizes sizes{name.size(), content.size()};
    bytes.append(reinterpret_cast<const char*>(&sizes), sizeof sizes).append(name).append(content);
  }
  header.entries = entries.size();
  header.bytes = bytes.size() - sizeof header;
  header.sum = sum_of(header, std::string_view(bytes).substr(sizeof header));
  std::memcpy(bytes.data(), &header, sizeof header);
  return bytes;
}

std::vector<BundledEntry> unbundle(std::string_view bytes, std::string_view file) {
  Header header;
  if (bytes.size() < sizeof kMagic || std::memcmp(bytes.data(), kMagic.data(), sizeof kMagic) != 0)
    raise<ValueError>({}, "{} is no file that `swage cache export` wrote", file);
  std::string_view rest = bytes;
  if (!take(rest, header)) raise<ValueError>({}, "{} is damaged: it ends after {} bytes", file, bytes.size());
  if (header.version != kVersion)
    raise<ValueError>({}, "{} is an export of version {}, this command reads version {}", file, header.version, kVersion);
  if (header.bytes != rest.size())
    raise<ValueError>({}, "{} is damaged: it should have {} bytes behind its header, and has {}", file, header.bytes,
                      rest.size());
  if (header.sum != sum_of(header, rest)) raise<ValueError>({}, "{} is damaged: its checksum is wrong", file);
  std::vector<BundledEntry> entries;
  for (std::uint64_t i = 0; i < header.entries; ++i) {
    const auto bad = [&](std::string_view why) { raise<ValueError>({}, "{} is damaged: entry {}: {}", file, i + 1, why); };
    Sizes sizes;
    if (!take(rest, sizes) || sizes.name > rest.size() || sizes.entry > rest.size() - sizes.name) bad("its sizes are wrong");
    const std::string_view name = rest.substr(0, sizes.name), content = rest.substr(sizes.name, sizes.entry);
    rest.remove_prefix(sizes.name + sizes.entry);
    BundledEntry one{std::string(kind_of_name(name)), {}};
    if (const std::string_view wrong = decode(content, one.entry); !wrong.empty()) bad(wrong);
    if (name_of({one.kind, one.entry.environment, one.entry.key}) != name) bad("its name is another's");
    entries.push_back(std::move(one));
  }
  if (!rest.empty()) raise<ValueError>({}, "{} is damaged: {} bytes follow the last entry", file, rest.size());
  return entries;
}

}  // namespace swage
