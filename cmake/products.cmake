# What is installed: libpennon (shared and static), pennon.h, the program, its manual, completion for shells.
get_property(rooms GLOBAL PROPERTY PN_ROOMS)
set(library_rooms ${rooms})
list(REMOVE_ITEM library_rooms serve cli)

# Everything below the public header, in one library each way.
add_library(pennon_shared SHARED $<TARGET_OBJECTS:pn_api>)
add_library(pennon_static STATIC)
foreach(room IN LISTS library_rooms)
  target_sources(pennon_static PRIVATE $<TARGET_OBJECTS:pn_${room}>)
endforeach()
set_target_properties(pennon_static PROPERTIES LINKER_LANGUAGE C OUTPUT_NAME pennon EXPORT_NAME static)
# What a program has to link beside libpennon.a; pennon-config.cmake makes PkgConfig::PENNON_STATIC.
target_link_libraries(pennon_static INTERFACE "$<INSTALL_INTERFACE:PkgConfig::PENNON_STATIC>"
  "$<INSTALL_INTERFACE:roaring::roaring>" "$<INSTALL_INTERFACE:csv>" "$<INSTALL_INTERFACE:curl>" "$<INSTALL_INTERFACE:Threads::Threads>"
  "$<INSTALL_INTERFACE:m>")
target_include_directories(pennon_static INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
list(TRANSFORM library_rooms PREPEND pn_)
target_link_libraries(pennon_shared PRIVATE ${library_rooms})
target_link_options(pennon_shared PRIVATE -Wl,--exclude-libs,ALL)
set_target_properties(pennon_shared PROPERTIES OUTPUT_NAME pennon VERSION ${PROJECT_VERSION}
  SOVERSION ${PROJECT_VERSION_MAJOR} EXPORT_NAME pennon)
target_include_directories(pennon_shared INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

# The program sees the library through pennon.h; what it uses of base and os besides is linked in.
add_executable(pennon "${PROJECT_SOURCE_DIR}/src/cli/main.c")
target_compile_options(pennon PRIVATE ${PN_WARNINGS})
target_compile_definitions(pennon PRIVATE _GNU_SOURCE)
target_link_libraries(pennon PRIVATE pn_cli pn_serve pn_os pn_base pennon_shared)
set_target_properties(pennon PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")

# ---- installation: headers, libraries, pkg-config, CMake package, program, manual, completion
include(CMakePackageConfigHelpers)
get_property(modules GLOBAL PROPERTY PN_MODULES)
list(REMOVE_ITEM modules libmicrohttpd yaml-0.1) # of the program, not of the library
list(REMOVE_ITEM modules libcurl) # what a static libcurl wants is not installed with it: -lcurl, in pennon.pc.in
list(JOIN modules " " PENNON_MODULES)
# The prefix is known when it is installed (cmake --install --prefix), not before.
set(PENNON_PREFIX "@CMAKE_INSTALL_PREFIX@")
configure_file("${PROJECT_SOURCE_DIR}/cmake/pennon.pc.in" "${PROJECT_BINARY_DIR}/pennon.pc.in" @ONLY)
install(CODE "configure_file(\"${PROJECT_BINARY_DIR}/pennon.pc.in\" \"${PROJECT_BINARY_DIR}/pennon.pc\" @ONLY)")
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/pennon-config.cmake.in"
  "${PROJECT_BINARY_DIR}/pennon-config.cmake" INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/pennon)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/pennon-config-version.cmake"
  COMPATIBILITY SameMajorVersion)
install(FILES "${PROJECT_SOURCE_DIR}/include/pennon.h" "${PROJECT_SOURCE_DIR}/include/pennon_status.h"
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS pennon_shared EXPORT pennon LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS pennon_static EXPORT pennon-static ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS pennon RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(EXPORT pennon NAMESPACE pennon:: FILE pennon-targets.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/pennon)
install(EXPORT pennon-static NAMESPACE pennon:: FILE pennon-static-targets.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/pennon)
install(FILES "${PROJECT_BINARY_DIR}/pennon-config.cmake" "${PROJECT_BINARY_DIR}/pennon-config-version.cmake"
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/pennon)
install(FILES "${PROJECT_BINARY_DIR}/pennon.pc" DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES "${PROJECT_SOURCE_DIR}/man/pennon.1" DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES "${PROJECT_SOURCE_DIR}/man/pennon.3" DESTINATION ${CMAKE_INSTALL_MANDIR}/man3)
# Where bash-completion and zsh look, each under the name it wants.
install(FILES "${PROJECT_SOURCE_DIR}/completion/pennon.bash" RENAME pennon
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES "${PROJECT_SOURCE_DIR}/completion/_pennon" DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
