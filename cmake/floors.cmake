# A floor is one folder, one static library and one include root. The root of `kernels` is a folder that holds nothing
# but the link `kernels`, so that `#include <kernels/...>` says which floor a header is from, and a floor whose root is
# not on the path (any floor above) cannot be included at all.

# swage_include_root(OUT floor): makes the root of a floor and names it in OUT.
function(swage_include_root out floor)
  set(root "${CMAKE_BINARY_DIR}/roots/${floor}")
  file(MAKE_DIRECTORY "${root}")
  file(CREATE_LINK "${CMAKE_SOURCE_DIR}/${floor}" "${root}/${floor}" SYMBOLIC)
  set(${out} "${root}" PARENT_SCOPE)
endfunction()

# swage_floor(runtime [ROOT folder] [EXCLUDE regex] [BELOW floors...] [PUBLIC libraries...] [PRIVATE libraries...])
#
# All .cpp files below the current folder become the library swage_runtime. ROOT replaces the generated include root.
function(swage_floor floor)
  cmake_parse_arguments(ARG "" "ROOT;EXCLUDE" "BELOW;PUBLIC;PRIVATE" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.cpp")
  if(ARG_EXCLUDE)
    list(FILTER sources EXCLUDE REGEX "${ARG_EXCLUDE}")
  endif()
  if(NOT sources)
    set(sources "${CMAKE_BINARY_DIR}/roots/empty.cpp")
    file(CONFIGURE OUTPUT "${sources}" CONTENT "// A floor without sources is still a library.\n")
  endif()
  if(NOT ARG_ROOT)
    swage_include_root(ARG_ROOT ${floor})
  endif()
  list(TRANSFORM ARG_BELOW PREPEND swage_)

  add_library(swage_${floor} STATIC ${sources})
  target_include_directories(swage_${floor} PUBLIC "${ARG_ROOT}")
  target_link_libraries(swage_${floor} PUBLIC ${ARG_BELOW} ${ARG_PUBLIC} PRIVATE swage_flags ${ARG_PRIVATE})
endfunction()

# swage_floor_tests(runtime): every .cpp file in test/runtime goes into the executable test_runtime, which links that
# floor and what is below it.
function(swage_floor_tests floor)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/test/${floor}/*.cpp")
  if(NOT sources)
    return()
  endif()
  swage_include_root(root test)
  add_executable(test_${floor} ${sources} "${CMAKE_SOURCE_DIR}/test/support/no_cache.cpp")
  target_include_directories(test_${floor} PRIVATE "${root}")
  target_link_libraries(test_${floor} PRIVATE swage_${floor} swage_flags GTest::gtest GTest::gmock GTest::gtest_main)
  gtest_discover_tests(test_${floor} TEST_PREFIX "${floor}/" DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
                       PROPERTIES TIMEOUT 600 ENVIRONMENT "SWAGE_LOG=memory;SWAGE_CACHE=off")
endfunction()
include(GoogleTest)
