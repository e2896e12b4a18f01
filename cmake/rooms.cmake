# pn_room(NAME USES rooms... LIBS targets...): src/NAME/*.c as the static library pn_NAME.
#
# A room sees "room/file.h" of every room, because all live under src/; that it includes only those it
# names is checked by tools/check_layers.py. Here the order is checked: what a room uses must exist already.
# src/NAME/*.proto become protobuf-c sources in the build folder.
function(pn_room name)
  cmake_parse_arguments(ROOM "" "" "USES;LIBS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/${name}/*.c")
  file(GLOB protos CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/${name}/*.proto")
  # main.c is the program, not the room.
  list(FILTER sources EXCLUDE REGEX "/main\\.c$")
  foreach(used IN LISTS ROOM_USES)
    if(NOT TARGET pn_${used})
      message(FATAL_ERROR "room ${name} uses ${used}, which is not on a lower floor")
    endif()
  endforeach()

  set(proto_paths ${ROOM_USES})
  list(TRANSFORM proto_paths PREPEND "-I${PROJECT_SOURCE_DIR}/src/")
  foreach(proto IN LISTS protos)
    get_filename_component(stem "${proto}" NAME_WE)
    set(generated "${PROJECT_BINARY_DIR}/proto/${name}")
    file(MAKE_DIRECTORY "${generated}")
    add_custom_command(
      OUTPUT "${generated}/${stem}.pb-c.c" "${generated}/${stem}.pb-c.h"
      COMMAND protoc-c "--c_out=${generated}" "-I${PROJECT_SOURCE_DIR}/src/${name}"
        ${proto_paths} "${proto}"
      DEPENDS "${proto}" VERBATIM)
    list(APPEND sources "${generated}/${stem}.pb-c.c")
    list(APPEND messages "${generated}/${stem}.pb-c.c")
    set_source_files_properties("${generated}/${stem}.pb-c.c" PROPERTIES COMPILE_OPTIONS "-w")
  endforeach()

  if(NOT sources)
    set(sources "${PROJECT_SOURCE_DIR}/cmake/empty.c")
  endif()
  add_library(pn_${name} STATIC ${sources})
  target_include_directories(pn_${name} PUBLIC "${PROJECT_SOURCE_DIR}/src"
    "${PROJECT_SOURCE_DIR}/include" "${PROJECT_BINARY_DIR}/generated")
  if(protos)
    # For what reads the sources without compiling them: tools/lint.sh.
    if(NOT TARGET generated_sources)
      add_custom_target(generated_sources)
    endif()
    add_custom_target(pn_${name}_messages DEPENDS ${messages})
    add_dependencies(generated_sources pn_${name}_messages)
    add_dependencies(pn_${name} pn_${name}_messages)
    target_include_directories(pn_${name} SYSTEM PUBLIC "${PROJECT_BINARY_DIR}/proto/${name}")
  endif()
  target_compile_options(pn_${name} PRIVATE ${PN_WARNINGS})
  list(TRANSFORM ROOM_USES PREPEND pn_)
  target_link_libraries(pn_${name} PUBLIC ${ROOM_USES} ${ROOM_LIBS})
  set_property(GLOBAL APPEND PROPERTY PN_ROOMS ${name})
endfunction()

# pn_kernel_flags(SUFFIX PROCESSOR FLAGS): files *_SUFFIX.c of kernels/ get FLAGS on PROCESSOR, and are left
# out on others. Plain C files never get instruction-set flags: dispatch decides at run time.
function(pn_kernel_flags suffix processor flags)
  get_target_property(sources pn_kernels SOURCES)
  if(CMAKE_SYSTEM_PROCESSOR STREQUAL processor)
    foreach(source IN LISTS sources)
      if(source MATCHES "_${suffix}\\.c$")
        set_source_files_properties("${source}" PROPERTIES COMPILE_OPTIONS "${flags}")
      endif()
    endforeach()
  else()
    list(FILTER sources EXCLUDE REGEX "_${suffix}\\.c$")
    set_target_properties(pn_kernels PROPERTIES SOURCES "${sources}")
  endif()
endfunction()
