#!/bin/sh
# Installs a release of tetra for one user: fetches the archive for this machine and SHA256SUMS, compares the checksum, and puts the
# program into TETRA_BIN (~/.local/bin). TETRA_VERSION chooses a release, the latest one if it is not set.
set -eu

releases=${TETRA_RELEASES:-https://github.com/tetra-shell/tetra/releases}
bin=${TETRA_BIN:-$HOME/.local/bin}

fail() {
    echo "install.sh: $1" >&2
    exit 1
}

fetch() {
    if command -v curl >/dev/null; then
        curl --fail --silent --show-error --location --output "$2" "$1"
    elif command -v wget >/dev/null; then
        wget -q -O "$2" "$1"
    else
        fail 'neither curl nor wget is here'
    fi || fail "failed to fetch $1"
}

[ "$(uname -s)" = Linux ] || fail 'tetra is for Linux'
case $(uname -m) in
    x86_64 | amd64) arch=x86_64 ;;
    aarch64 | arm64) arch=aarch64 ;;
    *) fail "no release is for $(uname -m); build it from the sources" ;;
esac
if [ -n "${TETRA_VERSION:-}" ]; then
    from=$releases/download/v${TETRA_VERSION#v}
else
    from=$releases/latest/download
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fetch "$from/SHA256SUMS" "$work/SHA256SUMS"
archive=$(sed -n "s/^[0-9a-f]\{64\}[ *]*\(tetra-[0-9A-Za-z.+-]*-linux-$arch\.tar\.gz\)\$/\1/p" "$work/SHA256SUMS")
case $archive in
    '') fail "the release at $from has no archive for $arch" ;;
    *[!0-9A-Za-z._+-]*) fail "the release at $from has several archives for $arch" ;;
esac
fetch "$from/$archive" "$work/$archive"
wanted=$(sed -n "s/^\([0-9a-f]\{64\}\)[ *]*$archive\$/\1/p" "$work/SHA256SUMS")
real=$(sha256sum "$work/$archive" | cut -d ' ' -f 1)
[ "$wanted" = "$real" ] || fail "the checksum of $archive is $real, and has to be $wanted; nothing was installed"

tar -xzf "$work/$archive" -C "$work"
program=$work/${archive%.tar.gz}/tetra
version=$("$program" --version) || fail 'the program does not run on this machine'
mkdir -p "$bin"
# Beside it first: a program that runs is replaced, never written to.
cp "$program" "$bin/.tetra.new.$$"
chmod 755 "$bin/.tetra.new.$$"
mv -f "$bin/.tetra.new.$$" "$bin/tetra"

echo "installed $version in $bin"
case :$PATH: in
    *:"$bin":*) echo 'next: tetra setup' ;;
    *) echo "next: $bin/tetra setup   ($bin is not in PATH)" ;;
esac
