#compdef tetra tsm tkm org
# Completion of tetra and its other names for zsh. `tetra` itself knows the answers.

_tetra() {
    local value about
    local -a whole open
    while IFS=$'\t' read -r value about; do
        local entry="${value//:/\\:}${about:+:$about}"
        # More of the word follows after a directory and after `--option=`.
        if [[ $value == *[/=] ]]; then open+=("$entry"); else whole+=("$entry"); fi
    done < <(tetra complete --shell zsh -- "${(@Q)words[1,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)
    (( $#whole + $#open )) || return 1
    (( $#whole )) && _describe -V tetra whole -U
    (( $#open )) && _describe -V tetra open -U -S ''
    return 0
}

if [[ $funcstack[1] == _tetra ]]; then
    _tetra "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit -u; }
    compdef _tetra tetra tsm tkm org
fi
