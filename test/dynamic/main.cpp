// The programs of docs/dynamic.md: `dynamic NAME` runs one.
#include <cstdio>
#include <cstring>

#include <dynamic.hpp>

#include <swage/swage.hpp>

int main(int argc, char** argv) {
  for (const auto& [name, run] : swage::dynamic::kPrograms) {
    if (argc != 2 || std::strcmp(argv[1], name) != 0) continue;
    try {
      run();
      return 0;
    } catch (const swage::Error& error) {
      std::fprintf(stderr, "dynamic: %s\n", error.what());
      return 1;
    }
  }
  std::fputs("which program? grower, parser, robot, router, tagger, sensor or memory\n", stderr);
  return 2;
}
