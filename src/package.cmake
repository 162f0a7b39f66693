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
install(FILES ${CMAKE_CURRENT_SOURCE_DIR}/LICENSE RENAME copyright
  DESTINATION /usr/share/doc/libnginx-mod-http-ratelimit)

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
