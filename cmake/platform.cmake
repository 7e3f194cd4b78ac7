# Swage generates x86-64 code and talks to Linux; say so at once rather than fail somewhere in the middle.
if(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux" OR NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  message(FATAL_ERROR "Swage builds for Linux on x86-64 only; this is ${CMAKE_SYSTEM_NAME} on ${CMAKE_SYSTEM_PROCESSOR}.")
endif()

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")

# Release keeps line tables (-g1): user errors are resolved to a file and a line from them.
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Release or Debug" FORCE)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEBUG "-Og -g")

set(SWAGE_SANITIZE "" CACHE STRING "address, undefined, thread, address,undefined together, or empty for none")
set_property(CACHE SWAGE_SANITIZE PROPERTY STRINGS "" address undefined thread "address,undefined")
if(NOT SWAGE_SANITIZE MATCHES "^(|address|undefined|thread|address,undefined)$")
  message(FATAL_ERROR "SWAGE_SANITIZE is address, undefined, thread, address,undefined or empty, not '${SWAGE_SANITIZE}'.")
endif()

# Flags of our own code. Never -march=native: one binary serves every CPU, and kernels choose by CPUID.
# -ffp-contract=off: a fused multiply-add appears only where the scalar language says `fma`, so that
# eager kernels and compiled code give the same bits.
add_library(swage_flags INTERFACE)
target_compile_options(swage_flags INTERFACE -Wall -Wextra -Werror -ffp-contract=off)
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  # Instructions stay those of any x86-64. GCC's default tuning copies structures of a hundred bytes by `rep movs`, which costs 30
  # cycles each on processors of the last ten years.
  target_compile_options(swage_flags INTERFACE -mtune=skylake)
endif()
if(SWAGE_SANITIZE)
  target_compile_options(swage_flags INTERFACE -fsanitize=${SWAGE_SANITIZE} -fno-sanitize-recover=all
                                               -fno-omit-frame-pointer)
  target_link_options(swage_flags INTERFACE -fsanitize=${SWAGE_SANITIZE})
  # GCC warns wrongly about uninitialised values in instrumented code.
  target_compile_options(swage_flags INTERFACE -Wno-maybe-uninitialized)
endif()

find_program(SWAGE_CCACHE ccache)
if(SWAGE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${SWAGE_CCACHE}")
endif()

# g++ looks for a program named exactly `ld.lld`, Debian's carries its version: give it a folder that has both.
find_program(SWAGE_LLD NAMES ld.lld-22 ld.lld)
if(SWAGE_LLD)
  file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/linker")
  file(CREATE_LINK "${SWAGE_LLD}" "${CMAKE_BINARY_DIR}/linker/ld.lld" SYMBOLIC)
  add_link_options("-B${CMAKE_BINARY_DIR}/linker" -fuse-ld=lld)
endif()
