# Sourced by checks of the Debian package.

# Whether what is built here is for the nginx that dh_nginx packages for.
for_debians_nginx() {
    grep -q -x 'NGINX_SRC:PATH=/usr/share/nginx/src' "$BUILD/CMakeCache.txt"
}
