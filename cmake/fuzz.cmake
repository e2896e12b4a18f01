# fuzz/fuzz_<door>.c: with clang and PN_BUILD_FUZZ a libFuzzer target fuzz_<door>; with PN_BUILD_TESTS the same source and
# standalone.c as replay_<door>, which ctest runs over fuzz/corpus/<door> when that folder exists.
# Include it after the rooms and, with PN_BUILD_TESTS, after enable_testing(); a second include does nothing.
include_guard(GLOBAL)

function(pn_fuzz_targets)
  get_property(rooms GLOBAL PROPERTY PN_ROOMS)
  list(TRANSFORM rooms PREPEND pn_)
  # What several targets share; each takes what it calls.
  add_library(pn_fuzz_support STATIC fuzz/mutate_message.c fuzz/mutate_file.c fuzz/read_lance.c)
  target_compile_definitions(pn_fuzz_support PRIVATE _GNU_SOURCE) # memfd_create
  target_compile_options(pn_fuzz_support PRIVATE ${PN_WARNINGS})
  target_link_libraries(pn_fuzz_support PUBLIC pn_dataset)
  file(GLOB doors CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/fuzz/fuzz_*.c")
  foreach(source IN LISTS doors)
    get_filename_component(stem "${source}" NAME_WE)
    string(REPLACE "fuzz_" "" door "${stem}")
    if(PN_BUILD_FUZZ)
      if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
        message(FATAL_ERROR "libFuzzer needs clang: cmake --preset fuzz")
      endif()
      add_executable(${stem} "${source}")
      target_compile_options(${stem} PRIVATE -fsanitize=fuzzer)
      target_link_options(${stem} PRIVATE -fsanitize=fuzzer)
      target_compile_definitions(${stem} PRIVATE _GNU_SOURCE) # memfd_create
      target_link_libraries(${stem} PRIVATE pn_fuzz_support ${rooms})
    endif()
    set(corpus "${PROJECT_SOURCE_DIR}/fuzz/corpus/${door}")
    if(PN_BUILD_TESTS AND IS_DIRECTORY "${corpus}")
      add_executable(replay_${door} "${source}" "${PROJECT_SOURCE_DIR}/fuzz/standalone.c")
      target_compile_definitions(replay_${door} PRIVATE _GNU_SOURCE)
      target_compile_options(replay_${door} PRIVATE ${PN_WARNINGS})
      target_link_libraries(replay_${door} PRIVATE pn_fuzz_support ${rooms})
      add_test(NAME fuzz/replay_${door} COMMAND replay_${door} "${corpus}")
      set_tests_properties(fuzz/replay_${door} PROPERTIES TIMEOUT 300)
    endif()
  endforeach()
endfunction()

# clang needs half an hour to instrument tiles of 28 sums, and gcc's builds check them.
if(PN_BUILD_FUZZ)
  set_property(SOURCE "${PROJECT_SOURCE_DIR}/src/kernels/gemm_avx512.c" APPEND PROPERTY COMPILE_OPTIONS -fno-sanitize=all)
endif()

pn_fuzz_targets()
