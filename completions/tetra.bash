# Completion of tetra and its other names for bash. `tetra` itself knows the answers.

_tetra() {
    local line=${COMP_LINE:0:COMP_POINT} value
    COMPREPLY=()
    while IFS=$'\t' read -r value _; do
        COMPREPLY+=("$value")
    done < <(tetra complete --shell bash --breaks "$COMP_WORDBREAKS" --line "$line" 2>/dev/null)
    # More of the word follows after a directory and after `--option=`.
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[/=] ]]; then
        compopt -o nospace
    fi
}

complete -o nosort -F _tetra tetra tsm tkm org
