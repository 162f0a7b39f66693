#!/bin/bash

# What the module asks of the dynamic linker, and what it offers.

. t/tools/tap.sh
. t/tools/symbols.sh

check 'needs no C++ run-time library' needs_no_cxx "$MODULE"
check 'leaves no C++ symbol undefined' leaves_no_cxx "$MODULE"
check 'exports what nginx looks up and nothing else' exports_three "$MODULE"
check 'has the signature of its nginx' same_signature "$MODULE" "$NGINX_BINARY"

finish
