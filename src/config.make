# Read by nginx's configure when it has written its Makefile, which compiles C
# and C++ with the same CFLAGS: these are for the core's C++ only.

for ratelimit_source in `grep '\.cc$' "$ngx_addon_dir/sources.txt"`
do
    ratelimit_source=`echo $ratelimit_source | sed 's|.*/\([^/]*/[^/]*\)\.cc|\1|'`

    cat << END                                                >> $NGX_MAKEFILE

$NGX_OBJS/addon/$ratelimit_source.o:	CFLAGS += -std=c++17 -fno-exceptions -fno-rtti

END
done
