# tests/<room>/test_<file>.c: one program each, linked with its room (and so with what the room uses).
find_package(Python3 COMPONENTS Interpreter)
pn_package(CMOCKA cmocka)

file(GLOB support CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/support/*.c")
if(NOT support)
  set(support "${PROJECT_SOURCE_DIR}/cmake/empty.c")
endif()
add_library(pn_test_support STATIC ${support})
target_include_directories(pn_test_support PUBLIC "${PROJECT_SOURCE_DIR}/tests")
target_link_libraries(pn_test_support PUBLIC pn_os PkgConfig::CMOCKA PkgConfig::JANSSON)
target_link_libraries(pn_test_support PRIVATE pn_clip pn_dataset) # spiece_json: the messages of sentencepiece.proto; table_sight: those of table.proto

# Where the reference data lies; tests that need it say so and are skipped when the folder is absent.
set(PN_SHARED_DIR "${PROJECT_SOURCE_DIR}/../shared" CACHE PATH "reference data")

add_test(NAME layers COMMAND ${Python3_EXECUTABLE} "${PROJECT_SOURCE_DIR}/tools/check_layers.py"
  "${PROJECT_SOURCE_DIR}")

# In the release build, which is what users get (LABELS program).
file(GLOB public_headers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/include/*.h")
add_test(NAME exports COMMAND ${Python3_EXECUTABLE} "${PROJECT_SOURCE_DIR}/tools/check_exports.py"
  $<TARGET_FILE:pennon_shared> $<TARGET_FILE:pennon_static> ${public_headers})
set_tests_properties(exports PROPERTIES LABELS program)

get_property(rooms GLOBAL PROPERTY PN_ROOMS)
foreach(room IN LISTS rooms)
  file(GLOB tests CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/${room}/test_*.c")
  foreach(test IN LISTS tests)
    get_filename_component(stem "${test}" NAME_WE)
    if(stem MATCHES "_amx$") # compiles the kernel once more, on a model of its instructions
      if(NOT CMAKE_SYSTEM_PROCESSOR STREQUAL x86_64)
        continue()
      endif()
      set_source_files_properties("${test}" PROPERTIES COMPILE_OPTIONS "-mavx512f;-mavx2;-mfma;-mamx-tile;-mamx-int8")
    endif()
    add_executable(${stem} "${test}")
    target_link_libraries(${stem} PRIVATE pn_test_support pn_${room})
    target_compile_options(${stem} PRIVATE -Wall -Wextra -Wshadow)
    if(PN_WERROR)
      target_compile_options(${stem} PRIVATE -Werror)
    endif()
    add_test(NAME ${room}/${stem} COMMAND ${stem})
    # Against what hangs, no measure of speed: a machine that others use takes ten times as long.
    set_tests_properties(${room}/${stem} PROPERTIES TIMEOUT 3600 ENVIRONMENT
      "PN_SHARED_DIR=${PN_SHARED_DIR};PN_SOURCE_DIR=${PROJECT_SOURCE_DIR};PN_BINARY_DIR=${PROJECT_BINARY_DIR};G_SLICE=always-malloc")
  endforeach()
endforeach()

# examples/*.c: against pennon.h and the shared library, as a user of either has them; run by tests/docs/run_examples.sh.
file(GLOB examples CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/examples/*.c")
foreach(example IN LISTS examples)
  get_filename_component(stem "${example}" NAME_WE)
  add_executable(example_${stem} "${example}")
  target_link_libraries(example_${stem} PRIVATE pennon_shared)
  target_compile_options(example_${stem} PRIVATE -std=c99 -Wall -Wextra -Wpedantic -Wshadow -Wconversion)
  if(PN_WERROR)
    target_compile_options(example_${stem} PRIVATE -Werror)
  endif()
  set_target_properties(example_${stem} PROPERTIES OUTPUT_NAME ${stem}
    RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/examples")
endforeach()

# The reading half of tests/lance_client/run_lance_random.sh.
add_executable(read_tables "${PROJECT_SOURCE_DIR}/tests/lance_client/read_tables.c")
target_link_libraries(read_tables PRIVATE pn_dataset)
target_compile_options(read_tables PRIVATE ${PN_WARNINGS})
# Changes of a table one by one, for tests/lance_client.
add_executable(dataset_tool "${PROJECT_SOURCE_DIR}/tests/lance_client/dataset_tool.c")
target_link_libraries(dataset_tool PRIVATE pn_dataset)

# tests/<anything>/run_*.sh: whole-program tests; they find the program through PENNON.
file(GLOB scripts CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/*/run_*.sh")
foreach(script IN LISTS scripts)
  get_filename_component(stem "${script}" NAME_WE)
  get_filename_component(folder "${script}" DIRECTORY)
  get_filename_component(folder "${folder}" NAME)
  add_test(NAME ${folder}/${stem} COMMAND bash "${script}")
  set_tests_properties(${folder}/${stem} PROPERTIES TIMEOUT 3600 SKIP_RETURN_CODE 77 LABELS program ENVIRONMENT
    "PENNON=${PROJECT_BINARY_DIR}/pennon;PN_DATASET_TOOL=${PROJECT_BINARY_DIR}/dataset_tool;PN_SHARED_DIR=${PN_SHARED_DIR};PN_SOURCE_DIR=${PROJECT_SOURCE_DIR};PN_BINARY_DIR=${PROJECT_BINARY_DIR}")
endforeach()
