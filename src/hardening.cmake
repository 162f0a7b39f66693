# The hardening flags of Debian's dpkg-buildflags, hardening=+all, for every
# build, so that it does not matter where and how the module is built.  A flag
# that this compiler or processor does not have is left out.

include(CheckCCompilerFlag)

add_compile_options(-Wformat -Werror=format-security)

foreach(flag -fstack-protector-strong -fstack-clash-protection -fcf-protection
    -mbranch-protection=standard)
  string(MAKE_C_IDENTIFIER HAVE${flag} have)
  check_c_compiler_flag("-Werror ${flag}" ${have})
  if(${have})
    add_compile_options(${flag})
  endif()
endforeach()

# It works with optimization only, and a level that was asked for stays.
if(NOT CMAKE_BUILD_TYPE STREQUAL Debug
    AND NOT "${CMAKE_C_FLAGS} ${CMAKE_CXX_FLAGS}" MATCHES "_FORTIFY_SOURCE")
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
endif()

add_link_options(-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
