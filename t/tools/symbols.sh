# Sourced by checks: looks at the symbols of a module.

needs_no_cxx() {
    ! readelf -d "$1" | grep -E 'NEEDED.*(stdc|c)\+\+|NEEDED.*gcc_s'
}

# Undefined names of C++: mangled ones and those of its run-time library.
# __cxa_finalize is libc's and of every shared object.
leaves_no_cxx() {
    ! nm -D -u "$1" | awk '{ print $NF }' | sed 's/@.*//' |
        grep -E '^_Z|^__cxa_|^__gxx_|^_Unwind|^__dynamic_cast' |
        grep -v -x __cxa_finalize
}

exports_three() {
    diff <(printf '%s\n' ngx_module_names ngx_module_order ngx_modules) \
        <(nm -D --defined-only "$1" | awk '{ print $NF }' | LC_ALL=C sort)
}

signature() {
    strings -n 20 "$1" | grep -m 1 -E '^[0-9],[0-9],[0-9]+,[01]+'
}

same_signature() {
    diff <(signature "$1") <(signature "$2")
}
