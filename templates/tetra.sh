# Written by tetra setup, which replaces it: keep lines of your own elsewhere.
#
# Source it in bash or zsh; then tetra, tsm, tkm and org can be called. It may be copied to another directory or machine:
# TETRA_DIR is the directory it is in, unless it is set. TSM_PROCESSES_DIR and TSM_PORTS_FILE are for scripts: tetra does not read them.

if [ -n "${BASH_VERSION:-}" ]; then
    _tetra_file=$BASH_SOURCE
elif [ -n "${ZSH_VERSION:-}" ]; then
    eval '_tetra_file=${(%):-%x}'
else
    _tetra_file=$HOME/tetra/tetra.sh
fi

if [ -z "${TETRA_DIR:-}" ]; then
    case $_tetra_file in
        */*) TETRA_DIR=${_tetra_file%/*} ;;
        *) TETRA_DIR=. ;;
    esac
    TETRA_DIR=$(CDPATH='' cd -- "${TETRA_DIR:-/}" >/dev/null 2>&1 && pwd)
fi
export TETRA_DIR
export TSM_PROCESSES_DIR="$TETRA_DIR/tsm/runtime/processes" TSM_PORTS_FILE="$TETRA_DIR/tsm/ports"

if [ -z "${TETRA_SRC:-}" ]; then
    if [ -d /root/src/devops/tetra ]; then
        TETRA_SRC=/root/src/devops/tetra
    elif [ -d /opt/tetra ]; then
        TETRA_SRC=/opt/tetra
    else
        TETRA_SRC=@SOURCE@
    fi
fi
export TETRA_SRC

for _tetra_bin in @BIN@ "$TETRA_DIR/bin" /usr/local/bin; do
    if [ -x "$_tetra_bin/tetra" ]; then
        case ":$PATH:" in
            *":$_tetra_bin:"*) ;;
            *) PATH=$_tetra_bin:$PATH && export PATH ;;
        esac
        break
    fi
done

# Where setup could not put its links beside the program, functions stand for them.
if [ ! -x "$_tetra_bin/tsm" ]; then tsm() { tetra tsm "$@"; }; fi
if [ ! -x "$_tetra_bin/tkm" ]; then tkm() { tetra tkm "$@"; }; fi
if [ ! -x "$_tetra_bin/org" ]; then org() { tetra org "$@"; }; fi
unset _tetra_file _tetra_bin

# Completion, where `tetra setup --completions` put it.
case $- in
    *i*)
        if [ -n "${BASH_VERSION:-}" ] && [ -r "$TETRA_DIR/completions/tetra.bash" ]; then
            . "$TETRA_DIR/completions/tetra.bash"
        elif [ -n "${ZSH_VERSION:-}" ] && [ -r "$TETRA_DIR/completions/tetra.zsh" ]; then
            . "$TETRA_DIR/completions/tetra.zsh"
        fi
        ;;
esac

if ! command -v tetra >/dev/null 2>&1; then
    echo "tetra.sh: found no program called tetra; put it into PATH or into $TETRA_DIR/bin" >&2
    return 1
fi
