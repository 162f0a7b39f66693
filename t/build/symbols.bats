#!/usr/bin/env bats

# What the module asks of the dynamic linker, and what it offers.

. t/tools/symbols.sh

@test 'needs no C++ run-time library' {
    needs_no_cxx "$MODULE"
}

@test 'leaves no C++ symbol undefined' {
    leaves_no_cxx "$MODULE"
}

@test 'exports what nginx looks up and nothing else' {
    exports_three "$MODULE"
}

@test 'has the signature of its nginx' {
    same_signature "$MODULE" "$NGINX_BINARY"
}
