# Read by nginx's configure when it has written its Makefile, which compiles C
# and C++ with the same CFLAGS: these are for the core's C++ only.

cat << END                                                    >> $NGX_MAKEFILE

$NGX_OBJS/addon/ratelimit/%.o:	CFLAGS += -std=c++17 -fno-exceptions -fno-rtti

END
