# Makes the nginx tree in NGINX_SRC usable for building a module against it.
# Sets
#   NGINX_INCLUDES      the directories of nginx's headers
#   NGINX_MODULES_C     the generated file that names the module to nginx
#   NGINX_MODULES_PATH  where that nginx looks for modules

# An unpacked nginx-dev package will do as well.
if(EXISTS ${NGINX_SRC}/usr/share/nginx/src)
  set(nginx_src ${NGINX_SRC}/usr/share/nginx/src)
else()
  get_filename_component(nginx_src ${NGINX_SRC} ABSOLUTE
    BASE_DIR ${CMAKE_BINARY_DIR})
endif()
if(NOT EXISTS ${nginx_src}/src/core/nginx.h)
  message(FATAL_ERROR "No nginx headers in ${NGINX_SRC}.\n"
    "Install them (apt-get install nginx-dev), or name a source tree of the "
    "nginx that is to load the module: -DNGINX_SRC=DIR")
endif()
file(STRINGS ${nginx_src}/src/core/nginx.h version REGEX "define NGINX_VERSION")
string(REGEX MATCH "[0-9.]+" NGINX_VERSION "${version}")

# nginx's configure writes where it is started: in a folder of links.  They
# stay when CMake runs again, as something may be building there meanwhile.
set(links ${CMAKE_BINARY_DIR}/nginx-links)
if(NOT EXISTS ${links} OR NOT "${NGINX_LINKED}" STREQUAL "${nginx_src}")
  file(REMOVE_RECURSE ${links})
  file(MAKE_DIRECTORY ${links})
  file(GLOB entries ${nginx_src}/*)
  foreach(entry IN LISTS entries)
    get_filename_component(name ${entry} NAME)
    if(NOT name MATCHES "^(Makefile|objs)$")
      file(CREATE_LINK ${entry} ${links}/${name} SYMBOLIC)
    endif()
  endforeach()
  set(NGINX_LINKED ${nginx_src} CACHE INTERNAL "what the links lead to")
endif()

# A tree that was configured is taken as it is.
if(EXISTS ${nginx_src}/objs/ngx_auto_config.h)
  set(nginx_objs ${nginx_src}/objs)
else()
  set(nginx_objs ${CMAKE_BINARY_DIR}/nginx-objs)
  set(from "${nginx_src} ${NGINX_VERSION} ${NGINX_CONFIGURE_ARGS}")
  set(configured)
  if(EXISTS ${nginx_objs}/configured)
    file(READ ${nginx_objs}/configured configured)
  endif()
  if(NOT configured STREQUAL from)
    message(STATUS "Configuring nginx ${NGINX_VERSION} from ${nginx_src}")
    file(REMOVE_RECURSE ${nginx_objs})
    # conf_flags is a bash array, how Debian's nginx was configured.
    execute_process(WORKING_DIRECTORY ${links}
      COMMAND bash -ec "NGX_CONF_FLAGS=(\"$@\")
        if [ -f conf_flags ]; then . ./conf_flags; fi
        configure=./configure; [ -f $configure ] || configure=auto/configure
        unset CFLAGS CXXFLAGS LDFLAGS
        bash $configure \"\${NGX_CONF_FLAGS[@]}\" --with-cc='${CMAKE_C_COMPILER}' \\
          --with-cc-opt='-g -O2 -fPIC' --builddir='${nginx_objs}'"
        configure ${NGINX_CONFIGURE_ARGS}
      RESULT_VARIABLE failed OUTPUT_VARIABLE output ERROR_VARIABLE output)
    if(failed)
      message(FATAL_ERROR "nginx's configure failed:\n${output}")
    endif()
    file(WRITE ${nginx_objs}/configured "${from}")
  endif()
endif()

# The folders of headers are those that nginx's own Makefile names, which differ
# from one version, and one server of the family, to the next.
file(READ ${nginx_objs}/Makefile makefile)
string(REGEX MATCH "\nALL_INCS = ([^\n]*\\\\\n)*[^\n]*" all_incs "${makefile}")
string(REGEX MATCHALL "-I[ \t]*[^ \t\n]+" all_incs "${all_incs}")
set(NGINX_INCLUDES)
foreach(folder IN LISTS all_incs)
  string(REGEX REPLACE "^-I[ \t]*" "" folder ${folder})
  get_filename_component(folder ${folder} ABSOLUTE BASE_DIR ${nginx_src})
  list(APPEND NGINX_INCLUDES ${folder})
endforeach()
if(NOT NGINX_INCLUDES)
  message(FATAL_ERROR "No ALL_INCS in ${nginx_objs}/Makefile")
endif()

set(NGINX_MODULES_PATH)
file(STRINGS ${nginx_objs}/ngx_auto_config.h arguments REGEX NGX_CONFIGURE)
if(arguments MATCHES "--modules-path=([^ \"]+)")
  set(NGINX_MODULES_PATH ${CMAKE_MATCH_1})
elseif(arguments MATCHES "--prefix=([^ \"]+)")
  set(NGINX_MODULES_PATH ${CMAKE_MATCH_1}/modules)
else()
  set(NGINX_MODULES_PATH /usr/local/nginx/modules)
endif()

# As nginx's auto/make writes it, with the order that `config` gives.
set(NGINX_MODULES_C ${CMAKE_BINARY_DIR}/ngx_http_ratelimit_module_modules.c)
file(CONFIGURE OUTPUT ${NGINX_MODULES_C} CONTENT [[
#include <ngx_config.h>
#include <ngx_core.h>

extern ngx_module_t  ngx_http_ratelimit_module;
extern ngx_module_t *ngx_modules[];
extern char *ngx_module_names[];
extern char *ngx_module_order[];

ngx_module_t *ngx_modules[] = {
    &ngx_http_ratelimit_module,
    NULL
};

char *ngx_module_names[] = {
    "ngx_http_ratelimit_module",
    NULL
};

char *ngx_module_order[] = {
    "ngx_http_ratelimit_module",
    "ngx_http_range_header_filter_module",
    NULL
};
]])

message(STATUS "nginx ${NGINX_VERSION} in ${nginx_src}")
