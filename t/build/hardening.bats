#!/usr/bin/env bats

# The module has the hardening that Debian's packages have.

setup() {
    [ -n "$MODULE" ] || skip 'the module is linked into nginx'
}

# undefined PATTERN: a symbol that the module takes from elsewhere.
undefined() {
    nm -D -u "$MODULE" | grep -E "$1"
}

# What is about a path or a warning is no hardening.
@test 'each source is compiled with the flags of dpkg-buildflags that harden' {
    local flag missing=0 commands
    commands=$(grep '^  "command"' "$BUILD/compile_commands.json")
    for flag in $(for of in CFLAGS CPPFLAGS; do
        DEB_BUILD_MAINT_OPTIONS=hardening=+all dpkg-buildflags --get $of
    done | tr ' ' '\n' | grep -E '^(-fstack|-fcf|-mbranch|-Werror=format|-Wformat|-D_FORTIFY)'); do
        ! grep -v -e " $flag " <<< "$commands" || { echo "no $flag"; missing=1; }
    done
    [ $missing = 0 ]
}

@test 'stacks are protected' {
    undefined ' __stack_chk_fail@'
}

@test 'functions are fortified' {
    undefined ' __[a-z]+_chk@'
}

# Both halves of CET in each object: a linker marks the module only where the
# compiler's own start files have them too, which Debian 12's do not.
@test 'branches are tracked' {
    [ "$(uname -m)" = x86_64 ] || skip 'not of this processor'
    local object missing=0
    while read -r object; do
        readelf -n "$object" 2>&1 | grep -q 'x86 feature: IBT, SHSTK' ||
            { echo "$object"; missing=1; }
    done < <(find "$BUILD/CMakeFiles" -name '*.o')
    [ $missing = 0 ]
}

@test 'what is relocated is read-only' {
    readelf -lW "$MODULE" | grep GNU_RELRO
}

@test 'everything is bound at start' {
    readelf -dW "$MODULE" | grep -E 'BIND_NOW|FLAGS.*NOW'
}

@test 'the stack is not executable' {
    readelf -lW "$MODULE" | grep GNU_STACK | grep -v 'E  *0x'
}
