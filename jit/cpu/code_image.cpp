#include <jit/cpu/code_image.hpp>

#include <algorithm>
#include <cstring>
#include <elf.h>
#include <limits>
#include <map>

#include <fmt/format.h>

#include <runtime/core/error.hpp>

namespace swage::jit {
namespace {

[[noreturn]] void refuse(std::string_view why) { throw CompileError(fmt::format("the object file has {}", why)); }

template <class T>
T read(std::string_view bytes, std::uint64_t at) {
  if (at > bytes.size() || bytes.size() - at < sizeof(T)) refuse("a header that ends early");
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

class Object {
 public:
  explicit Object(std::string_view bytes) : bytes_(bytes) {
    const auto header = read<Elf64_Ehdr>(bytes, 0);
    if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_machine != EM_X86_64 || header.e_type != ET_REL)
      refuse("another format");
    for (std::uint64_t i = 0; i < header.e_shnum; ++i)
      sections_.push_back(read<Elf64_Shdr>(bytes, header.e_shoff + i * sizeof(Elf64_Shdr)));
    for (const Elf64_Shdr& section : sections_) {
      if (section.sh_type == SHT_REL) refuse("relocations of another kind");
      if (section.sh_type != SHT_SYMTAB) continue;
      for (std::uint64_t at = 0; at + sizeof(Elf64_Sym) <= section.sh_size; at += sizeof(Elf64_Sym))
        symbols_.push_back(read<Elf64_Sym>(bytes, section.sh_offset + at));
      names_ = contents(section.sh_link);
    }
  }

  CodeImage image(const std::string& name) const {
    const Elf64_Sym& function = find(name);
    const std::string_view text = contents(function.st_shndx).substr(function.st_value, function.st_size);
    if (text.size() != function.st_size) refuse("a function that ends early");
    const std::vector<Elf64_Rela> relocations = relocations_of(function);
    CodeImage image;
    const std::map<std::uint32_t, Constants> constants = copy_constants(relocations, image.bytes);
    image.bytes.resize(aligned(image.bytes.size(), kImageAlignment));
    image.entry = static_cast<std::uint32_t>(image.bytes.size());
    image.bytes += text;
    for (const Elf64_Rela& relocation : relocations) {
      const Elf64_Sym& symbol = symbols_[ELF64_R_SYM(relocation.r_info)];
      const Constants& from = constants.at(symbol.st_shndx);
      const std::uint64_t place = image.entry + (relocation.r_offset - function.st_value);
      const std::int64_t target = static_cast<std::int64_t>(from.place + symbol.st_value - from.begin) + relocation.r_addend;
      const auto distance = static_cast<std::int32_t>(target - static_cast<std::int64_t>(place));
      if (place + sizeof distance > image.bytes.size()) refuse("a relocation outside its function");
      std::memcpy(image.bytes.data() + place, &distance, sizeof distance);
    }
    return image;
  }

 private:
  // A stretch of a section of constants, and where it stands in the image.
  struct Constants {
    std::uint64_t begin = std::numeric_limits<std::uint64_t>::max(), end = 0, place = 0;
  };

  static std::uint64_t aligned(std::uint64_t at, std::uint64_t alignment) {
    return (at + alignment - 1) / alignment * alignment;
  }

  std::string_view contents(std::uint32_t section) const {
    if (section >= sections_.size() || sections_[section].sh_type == SHT_NOBITS) refuse("a symbol without contents");
    const Elf64_Shdr& header = sections_[section];
    if (header.sh_offset > bytes_.size() || bytes_.size() - header.sh_offset < header.sh_size)
      refuse("a section that ends early");
    return bytes_.substr(header.sh_offset, header.sh_size);
  }

  const Elf64_Sym& find(const std::string& name) const {
    for (const Elf64_Sym& symbol : symbols_)
      if (ELF64_ST_TYPE(symbol.st_info) == STT_FUNC && symbol.st_name < names_.size() &&
          names_.substr(symbol.st_name).starts_with(std::string_view(name.c_str(), name.size() + 1)))
        return symbol;
    throw CompileError(fmt::format("the object file has no function {}", name));
  }

  std::vector<Elf64_Rela> relocations_of(const Elf64_Sym& function) const {
    std::vector<Elf64_Rela> found;
    for (const Elf64_Shdr& section : sections_) {
      if (section.sh_type != SHT_RELA) continue;
      const bool of_code = section.sh_info < sections_.size() && sections_[section.sh_info].sh_flags & SHF_EXECINSTR;
      if (!of_code) {
        if (section.sh_info < sections_.size() && sections_[section.sh_info].sh_flags & SHF_ALLOC)
          refuse("addresses in its data");
        continue;
      }
      if (section.sh_info != function.st_shndx) continue;
      for (std::uint64_t at = 0; at + sizeof(Elf64_Rela) <= section.sh_size; at += sizeof(Elf64_Rela)) {
        const auto relocation = read<Elf64_Rela>(bytes_, section.sh_offset + at);
        if (relocation.r_offset < function.st_value || relocation.r_offset >= function.st_value + function.st_size) continue;
        const std::uint64_t symbol = ELF64_R_SYM(relocation.r_info);
        if (symbol >= symbols_.size()) refuse("a relocation without a symbol");
        const std::uint16_t section_of_symbol = symbols_[symbol].st_shndx;
        const bool constant = section_of_symbol != SHN_UNDEF && section_of_symbol < sections_.size() &&
                              !(sections_[section_of_symbol].sh_flags & (SHF_WRITE | SHF_EXECINSTR));
        if (ELF64_R_TYPE(relocation.r_info) != R_X86_64_PC32 || !constant)
          refuse(fmt::format("a relocation of type {} against {}", ELF64_R_TYPE(relocation.r_info),
                             constant ? "a constant" : "something that is no constant"));
        found.push_back(relocation);
      }
    }
    return found;
  }

  // Of a section of equal constants only those that the function names; of any other all.
  std::map<std::uint32_t, Constants> copy_constants(const std::vector<Elf64_Rela>& relocations, std::string& bytes) const {
    std::map<std::uint32_t, Constants> ranges;
    for (const Elf64_Rela& relocation : relocations) {
      const Elf64_Sym& symbol = symbols_[ELF64_R_SYM(relocation.r_info)];
      const Elf64_Shdr& section = sections_[symbol.st_shndx];
      Constants& range = ranges[symbol.st_shndx];
      if (!(section.sh_flags & SHF_MERGE) || section.sh_entsize == 0 || ELF64_ST_TYPE(symbol.st_info) == STT_SECTION) {
        range.begin = 0;
        range.end = section.sh_size;
      } else {
        const std::uint64_t first = symbol.st_value / section.sh_entsize * section.sh_entsize;
        range.begin = std::min(range.begin, first);
        range.end = std::max(range.end, std::min(first + section.sh_entsize, section.sh_size));
      }
    }
    for (auto& [section, range] : ranges) {
      const std::uint64_t alignment = std::max<std::uint64_t>(sections_[section].sh_addralign, 1);
      if (alignment > kImageAlignment || range.begin >= range.end) refuse("constants out of bounds");
      range.begin = range.begin / alignment * alignment;
      range.place = aligned(bytes.size(), alignment);
      bytes.resize(range.place);
      bytes += contents(section).substr(range.begin, range.end - range.begin);
    }
    return ranges;
  }

  std::string_view bytes_, names_;
  std::vector<Elf64_Shdr> sections_;
  std::vector<Elf64_Sym> symbols_;
};

}  // namespace

std::vector<CodeImage> images_of(std::string_view object, std::span<const std::string> names) {
  const Object parsed(object);
  std::vector<CodeImage> images;
  images.reserve(names.size());
  for (const std::string& name : names) images.push_back(parsed.image(name));
  return images;
}

}  // namespace swage::jit
