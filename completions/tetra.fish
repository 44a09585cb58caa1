# Completion of tetra and its other names for fish. `tetra` itself knows the answers.

function __tetra_complete
    tetra complete --shell fish -- (commandline -opc) (commandline -ct) 2>/dev/null
end

for name in tetra tsm tkm org
    complete -c $name -e
    complete -c $name -f -k -a '(__tetra_complete)'
end
