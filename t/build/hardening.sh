#!/bin/bash

# The module has the hardening that Debian's packages have.

. t/tools/tap.sh

if [ -z "$MODULE" ]; then
    echo '1..0 # SKIP the module is linked into nginx'
    exit
fi

# Every flag of dpkg-buildflags that hardens is there for each source of ours.
# What is about a path or a warning is no hardening.
flags_are_used() {
    local flag flags missing=0
    flags=$(DEB_BUILD_MAINT_OPTIONS=hardening=+all dpkg-buildflags --get CFLAGS
        DEB_BUILD_MAINT_OPTIONS=hardening=+all dpkg-buildflags --get CPPFLAGS)
    for flag in $(tr ' ' '\n' <<< "$flags" | grep -E -e \
        '^(-fstack|-fcf|-mbranch|-Werror=format|-Wformat|-D_FORTIFY)'); do
        [ "$(grep -c '^  "command"' "$BUILD/compile_commands.json")" = \
            "$(grep '^  "command"' "$BUILD/compile_commands.json" |
                grep -c -e " $flag ")" ] || { echo "$flag"; missing=1; }
    done
    return $missing
}

undefined() {
    nm -D -u "$MODULE" | grep -E "$1"
}

# Both halves of CET in each object: a linker marks the module only where the
# compiler's own start files have them too, which Debian 12's do not.
branches_are_tracked() {
    local object missing=0
    [ "$(uname -m)" = x86_64 ] || return 0
    while read -r object; do
        readelf -n "$object" 2>&1 | grep -q 'x86 feature: IBT, SHSTK' ||
            { echo "$object"; missing=1; }
    done < <(find "$BUILD/CMakeFiles" -name '*.o')
    return $missing
}

stack_is_not_executable() {
    readelf -lW "$MODULE" | grep 'GNU_STACK' | grep -v 'E  *0x'
}

check 'each source is compiled with the flags of dpkg-buildflags' flags_are_used
check 'stacks are protected' undefined ' __stack_chk_fail@'
check 'functions are fortified' undefined ' __[a-z]+_chk@'
check 'branches are tracked' branches_are_tracked
check 'what is relocated is read-only' \
    eval "readelf -lW '$MODULE' | grep GNU_RELRO"
check 'everything is bound at start' \
    eval "readelf -dW '$MODULE' | grep -E 'BIND_NOW|FLAGS.*NOW'"
check 'the stack is not executable' stack_is_not_executable

finish
