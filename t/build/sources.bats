#!/usr/bin/env bats

# src/sources.txt and the tree agree, every file has its room, and includes go
# one way: src/README.md has the map.  src/suggest is a program of its own.

# The rooms of each layer, from the roof down; those of one line do not know
# each other.
shim_rooms='
.
api response
request
policy shared
key zone
conf'
core_rooms='
.
decide
key policy statistics shared usage
table response
algorithm jwt
base
abi'

# goes_down DIR PREFIX ROOMS: no file of DIR stands outside a room, or includes
# a header of a room that is not below its own.
goes_down() {
    (cd "$1" && find . \( -name '*.c' -o -name '*.h' -o -name '*.cc' \) \
        -not -path './ratelimit/*' -not -path './suggest/*' -exec grep -H '#include "' {} +) |
        awk -v prefix="$2" -v rooms="$3" '
            function room_of(path) {
                return path ~ /\// ? substr(path, 1, match(path, /\/[^\/]*$/) - 1) : "."
            }
            BEGIN {
                n = split(rooms, lines, "\n")
                for (i = 1; i <= n; i++) {
                    m = split(lines[i], names, " ")
                    for (j = 1; j <= m; j++) level[names[j]] = i
                }
            }
            {
                split($0, parts, "\"")
                file = $0; sub(/:.*/, "", file); sub(/^\.\//, "", file)
                header = parts[2]
                from = room_of(file)
                if (!(from in level)) { print file " is in no room"; bad = 1; next }
                if (substr(header, 1, length(prefix)) != prefix) next
                header = substr(header, length(prefix) + 1)
                to = room_of(header)
                if (to == "." || to == from) next
                if (!(to in level)) next
                if (level[to] <= level[from]) { print file " includes " header; bad = 1 }
            }
            END { exit bad }'
}

@test 'every source is listed' {
    diff <(cd src && find . -path ./suggest -prune -o \( -name '*.c' -o -name '*.h' -o -name '*.cc' \) -print |
        sed 's|^\./||' | LC_ALL=C sort) \
        <(grep -v -e '^#' -e '^$' src/sources.txt | LC_ALL=C sort)
}

@test 'the core knows nothing of nginx' {
    ! grep -rn -E 'ngx_(config|core|http)\.h|ngx_\w+_t\b|\bngx_\w+\(' \
        src/ratelimit
}

@test 'the shim sees only ratelimit.h of the core' {
    ! grep -rn 'include.*"ratelimit/' src --include='*.[ch]' |
        grep -v -e '^src/ratelimit/' -e '"ratelimit/ratelimit\.h"'
}

@test "the shim's includes go down" {
    goes_down src '' "$shim_rooms"
}

@test "the core's includes go down" {
    goes_down src/ratelimit ratelimit/ "$core_rooms"
}

# nginx names an object by the last folder and the file, without extension.
@test 'no two objects have one name' {
    [ -z "$(awk -F/ '!/^#/ && /\.(c|cc)$/ {
        name = $NF; sub(/\.[^.]*$/, "", name); print $(NF - 1) "/" name
    }' src/sources.txt | sort | uniq -d | tee /dev/stderr)" ]
}

# 79 columns, no tabs, no space at the end of a line.
@test 'lines are tidy' {
    ! grep -rn -P '^.{80,}$|\t| $' src --include='*.[ch]' --include='*.cc'
}
