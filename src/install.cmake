# Installs the module where its nginx looks for modules, ratelimit-suggest, and
# their man pages.  src/debian/ makes a package of it.

install(TARGETS ngx_http_ratelimit_module DESTINATION ${NGINX_MODULES_PATH})
install(TARGETS ratelimit-suggest DESTINATION bin)

find_program(LOWDOWN lowdown)
if(NOT LOWDOWN)
  message(STATUS "No lowdown: no man pages are made")
  return()
endif()

set(man_pages)
function(man_page name section description)
  set(page ${CMAKE_BINARY_DIR}/${name}.${section})
  add_custom_command(OUTPUT ${page} VERBATIM
    DEPENDS src/man.sh src/REFERENCE.md
    COMMAND sh -c "sh \"$@\" > \"$0\"" ${page}
      ${CMAKE_CURRENT_SOURCE_DIR}/src/man.sh ${LOWDOWN} ${name} ${section}
      ${description} ${CMAKE_CURRENT_SOURCE_DIR}/src/REFERENCE.md)
  set(man_pages ${man_pages} ${page} PARENT_SCOPE)
  install(FILES ${page} DESTINATION share/man/man${section})
endfunction()
man_page(ngx_http_ratelimit_module 8 "${PROJECT_DESCRIPTION}")
man_page(ratelimit-suggest 1 "which rate limits the clients of an nginx need")
add_custom_target(man ALL DEPENDS ${man_pages})
