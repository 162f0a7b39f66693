# man.sh LOWDOWN NAME SECTION DESCRIPTION REFERENCE: a man page out of the
# reference, under a head that man wants: of a program its own section, of the
# module all of it.  By its first line man knows that there are tables, whose
# columns are too narrow to be adjusted on both sides: groff goes by AD, or by .na
# where it is older.
printf "%s\n" "'\\\" t"
{
    printf '# NAME\n\n%s - %s\n\n' "$(printf %s "$2" | sed 's/_/\\_/g')" "$4"
    if grep -q "^## $2\$" "$5"; then
        printf '# DESCRIPTION\n'
        awk -v head="## $2" '/^## / { on = $0 == head; next } on' "$5"
    else
        cat "$5"
    fi
} | "$1" -s -Tman --nroff-nolinks -M title="$2" -M section="$3" |
    sed '/^\.TH /{
        i\
.ds AD l
        a\
.na
    }'
