# The warnings of the house. -Werror comes from the presets only, so that a newer compiler does not stop a user.
option(PN_WERROR "warnings are errors" OFF)
set(PN_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
    -Wdouble-promotion -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual
    -Wwrite-strings -Wundef -Wvla -Wformat=2 -Wswitch-enum -Wimplicit-fallthrough
    -Wnull-dereference)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  list(APPEND PN_WARNINGS -Wlogical-op -Wduplicated-cond -Wduplicated-branches)
  # gcc 12 does not see that an output is written whenever PN_TRY goes on; clang's analyzer does.
  list(APPEND PN_WARNINGS -Wno-maybe-uninitialized)
  if(PN_SANITIZE) # instrumented code confuses its flow analysis; the sanitizer itself looks at run time
    list(APPEND PN_WARNINGS -Wno-null-dereference)
  endif()
endif()
if(PN_WERROR)
  list(APPEND PN_WARNINGS -Werror)
endif()
