# depends.awk - the packages a field of a debian/control file asks for
#
#   awk -v field=Build-Depends -v arch=amd64 -f depends.awk debian/control
#
# One dependency a line, its alternatives separated by a blank, best first. Version constraints and
# architecture qualifiers (:any) are dropped; [architectures] and <build profiles> are evaluated for
# `arch` with no profile active, so that a <!nocheck> dependency counts. A missing `arch` matches
# positive lists of Linux architectures. @ and @builddeps@ (of debian/tests/control) are skipped,
# and debhelper-compat, which only debhelper provides, is named as that.

function trim(s) { sub(/^[ \t]+/, "", s); sub(/[ \t]+$/, "", s); return s }

function arch_matches(list,   n, i, word, negated, any_negated) {
    n = split(list, words, /[ \t]+/)
    for (i = 1; i <= n; i++) {
        word = words[i]
        if (word == "") continue
        negated = sub(/^!/, "", word)
        if (negated) any_negated = 1
        if (word == arch || word == "any" || word == "linux-any" || word == "any-" arch)
            return !negated
    }
    return any_negated
}

# <a b> <c>: at least one group must hold, and a group holds when all its profiles are negated.
function profiles_match(text,   group, n, i, holds, seen) {
    while (match(text, /<[^>]*>/)) {
        seen = 1
        group = substr(text, RSTART + 1, RLENGTH - 2)
        text = substr(text, RSTART + RLENGTH)
        holds = 1
        n = split(group, terms, /[ \t]+/)
        for (i = 1; i <= n; i++)
            if (terms[i] != "" && terms[i] !~ /^!/) holds = 0
        if (holds) return 1
    }
    return !seen
}

function alternative(text,   list) {
    gsub(/\([^)]*\)/, "", text)
    if (match(text, /\[[^]]*\]/)) {
        list = substr(text, RSTART + 1, RLENGTH - 2)
        text = substr(text, 1, RSTART - 1) substr(text, RSTART + RLENGTH)
        if (!arch_matches(list)) return ""
    }
    if (!profiles_match(text)) return ""
    gsub(/<[^>]*>/, "", text)
    text = trim(text)
    sub(/:.*/, "", text)
    if (text == "debhelper-compat") text = "debhelper"
    return text ~ /^@/ ? "" : text
}

/^#/ { next }
/^[^ \t]/ { inside = 0 }
tolower($0) ~ "^" tolower(field) ":" { inside = 1; sub(/^[^:]*:/, "") }
inside { value = value " " $0 }

END {
    gsub(/\t/, " ", value)
    count = split(value, items, ",")
    for (i = 1; i <= count; i++) {
        line = ""
        choices = split(items[i], choice, "|")
        for (j = 1; j <= choices; j++) {
            name = alternative(choice[j])
            if (name != "") line = line (line == "" ? "" : " ") name
        }
        if (line != "" && !(line in printed)) { printed[line] = 1; print line }
    }
}
