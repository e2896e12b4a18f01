# What is installed: libpennon (shared and static), pennon.h, the program, its manual.
add_library(pennon_shared SHARED $<TARGET_OBJECTS:pn_api>)
get_property(rooms GLOBAL PROPERTY PN_ROOMS)
set(library_rooms ${rooms})
list(REMOVE_ITEM library_rooms api serve cli)
list(TRANSFORM library_rooms PREPEND pn_)
target_link_libraries(pennon_shared PRIVATE pn_api ${library_rooms})
target_link_options(pennon_shared PRIVATE -Wl,--no-undefined -Wl,--exclude-libs,ALL)
set_target_properties(pennon_shared PROPERTIES OUTPUT_NAME pennon VERSION ${PROJECT_VERSION}
  SOVERSION ${PROJECT_VERSION_MAJOR})
target_include_directories(pennon_shared INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

# The program sees the library through pennon.h; what it uses of base and os besides is linked in.
add_executable(pennon "${PROJECT_SOURCE_DIR}/src/cli/main.c")
target_compile_options(pennon PRIVATE ${PN_WARNINGS})
target_compile_definitions(pennon PRIVATE _GNU_SOURCE)
target_link_libraries(pennon PRIVATE pn_cli pn_serve pn_os pn_base pennon_shared)
set_target_properties(pennon PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
