#!/bin/bash

# src/sources.txt and the tree agree, and the layers keep to themselves.

. t/tools/tap.sh

listed() {
    grep -v -e '^#' -e '^$' src/sources.txt | LC_ALL=C sort
}

present() {
    (cd src && find . -name '*.c' -o -name '*.h' -o -name '*.cc') |
        sed 's|^\./||' | LC_ALL=C sort
}

core_knows_no_nginx() {
    ! grep -n -E 'ngx_(config|core|http)\.h|ngx_\w+_t\b|\bngx_\w+\(' \
        src/ratelimit/*
}

shim_sees_one_header() {
    ! grep -n 'include.*ratelimit/' src/*.[ch] | grep -v '"ratelimit/ratelimit\.h"'
}

# 79 columns, no tabs, no space at the end of a line.
tidy_lines() {
    ! grep -n -P '^.{80,}$|\t| $' src/*.[ch] src/ratelimit/*
}

check 'every source is listed' same "$(present)" "$(listed)"
check 'the core knows nothing of nginx' core_knows_no_nginx
check 'the shim sees only ratelimit.h of the core' shim_sees_one_header
check 'lines are tidy' tidy_lines

finish
