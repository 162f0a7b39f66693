# Included by CMakeLists.txt: what ctest runs.  A test is called by its folder
# and file, as in suite.policy, and labelled with its folder; t/README.md.

set(NGINX_BINARY /usr/sbin/nginx CACHE FILEPATH
  "nginx that suites and checks run, that of NGINX_SRC")

# --- unit ---------------------------------------------------------------------

if(BUILD_TESTING)
  find_package(GTest)
  find_package(Threads)
endif()
if(BUILD_TESTING AND NOT GTest_FOUND)
  message(STATUS "No GoogleTest (libgtest-dev): no unit tests are built")
elseif(BUILD_TESTING)
  include(GoogleTest)
  ratelimit_programs(tests t/unit/*_test.cc GTest::gtest_main Threads::Threads)
  target_link_libraries(suggest_test PRIVATE ratelimit_suggest)
  target_link_libraries(suggest_history_test PRIVATE ratelimit_suggest)
  foreach(test IN LISTS tests)
    gtest_discover_tests(${test} TEST_PREFIX unit.${test}.
      DISCOVERY_MODE PRE_TEST PROPERTIES LABELS unit TIMEOUT 300)
  endforeach()
  # C programs: what a C99 caller of ratelimit.h does.
  ratelimit_programs(c_tests t/unit/*_test.c)
  foreach(test IN LISTS c_tests)
    set_target_properties(${test} PROPERTIES
      C_STANDARD 99 C_EXTENSIONS OFF LINKER_LANGUAGE C)
    target_compile_options(${test} PRIVATE -Wpedantic -Wstrict-prototypes)
    add_test(NAME unit.${test} COMMAND ${test})
    set_tests_properties(unit.${test} PROPERTIES LABELS unit)
  endforeach()
  set_target_properties(${tests} ${c_tests} PROPERTIES EXCLUDE_FROM_ALL ON)
  # gtest.h is half of what g++ reads of a test, so it is read once for all;
  # lines without variables take a third less of its time.
  set(header_file ${CMAKE_CURRENT_BINARY_DIR}/gtest_header.cc)
  file(CONFIGURE OUTPUT ${header_file} CONTENT "")
  add_executable(gtest_header EXCLUDE_FROM_ALL ${header_file})
  target_link_libraries(gtest_header PRIVATE
    ratelimit_core GTest::gtest_main Threads::Threads)
  target_compile_options(gtest_header PRIVATE -Wall -Wextra -g1)
  target_precompile_headers(gtest_header PRIVATE <gtest/gtest.h>)
  foreach(test IN LISTS tests)
    target_compile_options(${test} PRIVATE -g1)
    target_precompile_headers(${test} REUSE_FROM gtest_header)
  endforeach()
  add_dependencies(unit_tests ${tests} ${c_tests})
endif()

# --- suites and checks --------------------------------------------------------

# Not NGINX: nginx takes that for sockets to inherit.
set(environment BUILD=${CMAKE_BINARY_DIR} NGINX_BINARY=${NGINX_BINARY}
  TEST_NGINX_BINARY=${NGINX_BINARY})
if(RATELIMIT_MODULE)
  set(module ${CMAKE_BINARY_DIR}/ngx_http_ratelimit_module.so)
else()
  set(module)  # is linked into nginx
endif()
list(APPEND environment MODULE=${module} TEST_NGINX_LOAD_MODULES=${module})

# ratelimit_tests(FOLDER EXTENSION COMMAND...): a test per file of t/FOLDER.
function(ratelimit_tests folder extension)
  file(GLOB files RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} CONFIGURE_DEPENDS
    t/${folder}/*.${extension})
  foreach(file IN LISTS files)
    get_filename_component(name ${file} NAME_WE)
    add_test(NAME ${folder}.${name} COMMAND ${ARGN} ${file}
      WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
    set_tests_properties(${folder}.${name} PROPERTIES LABELS ${folder}
      TIMEOUT 900 SKIP_REGULAR_EXPRESSION "\\.\\. skipped: "
      ENVIRONMENT "${environment}")
    if(folder STREQUAL suite)
      set_tests_properties(${folder}.${name} PROPERTIES
        FIXTURES_REQUIRED suites)
    endif()
  endforeach()
endfunction()

set(prove prove --failures --directives)
ratelimit_tests(suite t ${prove} -It/lib)
foreach(folder build docs page peers)
  ratelimit_tests(${folder} bats ${prove} --comments -e "bats --tap")
endforeach()
foreach(folder clients page system)
  ratelimit_tests(${folder} sh ${prove} -e bash)
endforeach()

# These run CMake in this folder, and demos want its ports as well.
set_tests_properties(build.package build.suggest docs.demo docs.demo_machines
  PROPERTIES RESOURCE_LOCK build_folder)

# Three Debians, each of them twice; every fault for a minute, in both modes.
set_tests_properties(build.chroots system.machines PROPERTIES TIMEOUT 5400)

# They take longest and wait most of the time, so they begin first.
set_tests_properties(system.machines suite.redis_cluster system.upgrade
  system.shared clients.clients page.browser docs.demo_machines
  PROPERTIES COST 100)

# Before and after all suites that run.
add_test(NAME suites.start COMMAND bash t/tools/starts.sh
  WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
add_test(NAME suites.logs COMMAND bash t/tools/reports.sh
  WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
set_tests_properties(suites.start suites.logs PROPERTIES LABELS suite
  ENVIRONMENT "${environment}")
set_tests_properties(suites.start PROPERTIES FIXTURES_SETUP suites)
set_tests_properties(suites.logs PROPERTIES FIXTURES_CLEANUP suites)
