# Sourced by checks of documents.

# linked DOCUMENT: whether each of its links that is no address leads to a file,
# and to a heading there.
linked() {
    local link file missing=0
    while read -r link; do
        file=$1
        case $link in
            http*) continue ;;
            \#*) ;;
            *) file=$(dirname "$1")/${link%%#*} ;;
        esac
        [ -e "$file" ] &&
            case $link in
                *\#*) headings "$file" | grep -q -x -- "${link#*#}" ;;
            esac || { echo "no $link"; missing=1; }
    done < <(grep -o '](\([^)]*\))' "$1" | sed 's/^](//; s/)$//')
    return $missing
}

headings() {
    sed -n 's/^##* //p' "$1" | tr '[:upper:] ' '[:lower:]-' | tr -d ',.:'
}
