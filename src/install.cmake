# Installs the module where its nginx looks for modules, and makes a Debian
# package of it that apt keeps together with the nginx it was built for.

install(TARGETS ngx_http_ratelimit_module DESTINATION ${NGINX_MODULES_PATH})
install(TARGETS ratelimit-suggest DESTINATION bin)

if(NOT NGINX_ABI)
  return()
endif()

# Debian's layout: modules-available holds the line that loads the module, a
# link in modules-enabled switches it on.
set(snippet ${CMAKE_BINARY_DIR}/mod-http-ratelimit.conf)
file(WRITE ${snippet} "load_module modules/ngx_http_ratelimit_module.so;\n")
install(FILES ${snippet} DESTINATION /usr/share/nginx/modules-available)
set(link ${CMAKE_BINARY_DIR}/50-mod-http-ratelimit.conf)
file(CREATE_LINK /usr/share/nginx/modules-available/mod-http-ratelimit.conf
  ${link} SYMBOLIC)
install(FILES ${link} DESTINATION /etc/nginx/modules-enabled)

set(doc /usr/share/doc/libnginx-mod-http-ratelimit)
install(FILES ${CMAKE_CURRENT_SOURCE_DIR}/LICENSE RENAME copyright
  DESTINATION ${doc})
install(FILES README.md src/REFERENCE.md CHANGELOG.md DESTINATION ${doc})
install(DIRECTORY conf-examples/ DESTINATION ${doc}/examples)

# ngx_http_ratelimit_module(8) is src/REFERENCE.md under a head that man wants.
find_program(LOWDOWN lowdown)
if(LOWDOWN)
  set(page ${CMAKE_BINARY_DIR}/ngx_http_ratelimit_module.8.gz)
  add_custom_command(OUTPUT ${page} VERBATIM
    DEPENDS src/man.sh src/REFERENCE.md
    COMMAND sh -c "sh \"$1\" \"$2\" \"$3\" \"$4\" > \"$5\"" man
      ${CMAKE_CURRENT_SOURCE_DIR}/src/man.sh ${LOWDOWN}
      ${PROJECT_DESCRIPTION} ${CMAKE_CURRENT_SOURCE_DIR}/src/REFERENCE.md
      ${page})
  add_custom_target(man ALL DEPENDS ${page})
  install(FILES ${page} DESTINATION /usr/share/man/man8)
else()
  message(STATUS "No lowdown: the package has no man page")
endif()

# nginx's own package waits for this trigger and reloads.
set(triggers ${CMAKE_BINARY_DIR}/triggers)
file(WRITE ${triggers} "activate-noawait nginx-reload\n")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME libnginx-mod-http-ratelimit)
set(CPACK_PACKAGE_CONTACT "ngx_http_ratelimit_module authors")
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION httpd)
set(CPACK_DEBIAN_PACKAGE_DEPENDS ${NGINX_ABI})
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${triggers})
include(CPack)
