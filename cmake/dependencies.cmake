# Everything comes from Debian 12; `tools/dev setup` installs what is missing.
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(ZLIB REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(GTest REQUIRED)
find_package(Python3 REQUIRED COMPONENTS Interpreter)

# elfutils: from a return address to the user's file and line.
find_path(SWAGE_DW_INCLUDE elfutils/libdwfl.h REQUIRED)
find_library(SWAGE_DW_LIBRARY dw REQUIRED)
add_library(swage_dw INTERFACE)
target_include_directories(swage_dw SYSTEM INTERFACE "${SWAGE_DW_INCLUDE}")
target_link_libraries(swage_dw INTERFACE "${SWAGE_DW_LIBRARY}")

# oneDNN. Debian's CMake package asks for OpenCL, which the CPU engine does not need.
find_path(SWAGE_DNNL_INCLUDE oneapi/dnnl/dnnl.hpp REQUIRED)
find_library(SWAGE_DNNL_LIBRARY dnnl REQUIRED)
add_library(swage_dnnl INTERFACE)
target_include_directories(swage_dnnl SYSTEM INTERFACE "${SWAGE_DNNL_INCLUDE}")
target_link_libraries(swage_dnnl INTERFACE "${SWAGE_DNNL_LIBRARY}")

# LLVM and MLIR as the two shared libraries of the distribution. Their CMake packages are not used: they list four
# hundred static archives, and search for libraries that only those would need.
set(SWAGE_LLVM_ROOT "/usr/lib/llvm-22" CACHE PATH "Where LLVM and MLIR 22 are installed")
find_path(SWAGE_LLVM_INCLUDE llvm/Config/llvm-config.h PATHS "${SWAGE_LLVM_ROOT}/include" NO_DEFAULT_PATH REQUIRED)
find_path(SWAGE_MLIR_INCLUDE mlir/IR/MLIRContext.h PATHS "${SWAGE_LLVM_ROOT}/include" NO_DEFAULT_PATH REQUIRED)
find_library(SWAGE_LLVM_LIBRARY NAMES LLVM LLVM-22 PATHS "${SWAGE_LLVM_ROOT}/lib" NO_DEFAULT_PATH REQUIRED)
find_library(SWAGE_MLIR_LIBRARY NAMES MLIR PATHS "${SWAGE_LLVM_ROOT}/lib" NO_DEFAULT_PATH REQUIRED)
file(STRINGS "${SWAGE_LLVM_INCLUDE}/llvm/Config/llvm-config.h" version REGEX "#define LLVM_VERSION_STRING")
string(REGEX MATCH "[0-9]+\\.[0-9]+\\.[0-9]+" SWAGE_LLVM_VERSION "${version}")
if(NOT SWAGE_LLVM_VERSION MATCHES "^22\\.")
  message(FATAL_ERROR "Swage needs LLVM 22; ${SWAGE_LLVM_ROOT} has ${SWAGE_LLVM_VERSION}.")
endif()
add_library(swage_llvm INTERFACE)
target_include_directories(swage_llvm SYSTEM INTERFACE "${SWAGE_LLVM_INCLUDE}")
target_compile_definitions(swage_llvm INTERFACE __STDC_CONSTANT_MACROS __STDC_FORMAT_MACROS __STDC_LIMIT_MACROS)
target_link_libraries(swage_llvm INTERFACE "${SWAGE_MLIR_LIBRARY}" "${SWAGE_LLVM_LIBRARY}")
