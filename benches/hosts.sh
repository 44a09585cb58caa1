#!/bin/bash
# What `tkm` costs on hosts, with real sshds on the loopback: as root, with unshare.
#
#     benches/hosts.sh target/release/tetra [HOSTS] [RUNS] [MILLISECONDS]
#
# Prints the median of a rotation of one host and of HOSTS (20) in the same run, of a login on a new connection and of a call on one
# that is shared, each next to plain ssh doing the same; and how many connections a rotation makes to a host. With MILLISECONDS each host
# is as far away: a packet and its answer take as long.
set -euo pipefail
program=$(readlink -f "${1:?the program}")
hosts=${2:-20} runs=${3:-5} away=${4:-0}
dir=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$dir"' EXIT
export HOME=$dir/home
mkdir -p "$HOME/bin"
ln -s "$program" "$HOME/bin/tkm"
tkm=$HOME/bin/tkm
ssh-keygen -q -t ed25519 -N '' -f "$dir/own"

listening=23000
if [ "$away" -gt 0 ]; then
    listening=24000
    cat >"$dir/away.py" <<'PY'
import asyncio, sys

delay, hosts = float(sys.argv[1]) / 2000, int(sys.argv[2])

async def later(reader, writer):
    clock, waiting = asyncio.get_running_loop().time, asyncio.Queue()
    async def write():
        while True:
            when, data = await waiting.get()
            await asyncio.sleep(max(0, when - clock()))
            if not data:
                return writer.close()
            writer.write(data)
    writes = asyncio.create_task(write())
    data = b"-"
    while data:
        data = await reader.read(1 << 16)
        waiting.put_nowait((clock() + delay, data))
    await writes

def relay(port):
    async def met(reader, writer):
        await asyncio.sleep(2 * delay)
        try:
            ahead, back = await asyncio.open_connection("127.0.0.1", port + 1000)
            await asyncio.gather(later(reader, back), later(ahead, writer))
        except OSError:
            writer.close()
    return asyncio.start_server(met, "127.0.0.1", port)

async def main():
    await asyncio.gather(*[relay(23000 + number) for number in range(1, hosts + 1)])
    await asyncio.Event().wait()

asyncio.run(main())
PY
    python3 "$dir/away.py" "$away" "$hosts" & pids+=($!)
fi

serve() { # NUMBER: a sshd with a /root of its own
    local root=$dir/root$1
    mkdir -p "$root/.ssh/etc"
    ssh-keygen -q -t ed25519 -N '' -f "$root/.ssh/host_key"
    cp "$dir/own.pub" "$root/.ssh/authorized_keys"
    unshare --mount --propagation private sh -c "mount -t tmpfs tmpfs /run && mkdir /run/sshd && mount --bind '$root' /root &&
        mount --bind /root/.ssh/etc /etc/ssh && exec /usr/sbin/sshd -D -q -f /dev/null -o ListenAddress=127.0.0.1 \
        -o Port=$((listening + $1)) -o HostKey=/root/.ssh/host_key -o PidFile=none -o StrictModes=no -o UseDNS=no \
        -o AuthorizedKeysFile=/root/.ssh/authorized_keys -o MaxStartups=100" &
    pids+=($!)
}
median() { sort -n | sed -n "$(((runs + 1) / 2))p"; }
timed() { # LINE…: milliseconds, the median of the runs
    for _ in $(seq "$runs"); do
        local begin end
        begin=$(date +%s%N)
        "$@" >/dev/null 2>&1 || { echo "failed: $*" >&2; "$@" >&2 || true; exit 1; }
        end=$(date +%s%N)
        echo $(((end - begin) / 100000))
    done | median | sed 's/.$/.&/'
}

store() { # NAME COUNT: a store of its own that knows so many hosts
    export TETRA_DIR=$dir/$1
    "$tkm" init >/dev/null 2>&1
    for number in $(seq "$2"); do
        "$tkm" host add "h$number" "root@127.0.0.1:$((23000 + number))" --env dev \
            --fingerprint "$(ssh-keygen -lf "$dir/root$number/.ssh/host_key.pub" | cut -d ' ' -f 2)" >/dev/null 2>&1
        "$tkm" bootstrap "h$number" --identity "$dir/own" >/dev/null 2>&1
    done
}

for number in $(seq "$hosts"); do serve "$number"; done
for number in $(seq "$hosts"); do
    until ssh-keyscan -p $((23000 + number)) 127.0.0.1 2>/dev/null | grep -q ssh; do :; done
done
store many "$hosts"
many=$(timed "$tkm" rotate dev --now)
store one 1
one=$(timed "$tkm" rotate dev --now)
echo "rotate 1 host          $one ms"
echo "rotate $hosts hosts        $many ms"
awk "BEGIN { printf \"ratio                  %.1f\n\", $many / $one }"
plain=(ssh -F none -i "$dir/own" -o IdentitiesOnly=yes -o IdentityAgent=none -o StrictHostKeyChecking=no
    -o "UserKnownHostsFile=$dir/known")
# A rotation logs in three times on a host: by the old key, by the new one, and by the new one alone. What plain ssh needs for that, on
# one host and on all at the same time, is the floor for both.
logins() { # COUNT
    local number
    local waiting=()
    for number in $(seq "$1"); do
        (for _ in 1 2 3; do "${plain[@]}" -p $((23000 + number)) root@127.0.0.1 true; done) & waiting+=($!)
    done
    wait "${waiting[@]}"
}
floor_one=$(timed logins 1)
floor_many=$(timed logins "$hosts")
echo "3 logins, 1 host       $floor_one ms"
echo "3 logins, $hosts hosts     $floor_many ms"
awk "BEGIN { printf \"ratio                  %.1f\n\", $floor_many / $floor_one }"
awk "BEGIN { printf \"rotation to logins     %.2f\n\", $many / $floor_many }"
port=(-p 23001)
echo "plain ssh, new         $(timed "${plain[@]}" "${port[@]}" root@127.0.0.1 true) ms"
"${plain[@]}" "${port[@]}" -o ControlMaster=yes -o "ControlPath=$dir/c" -N root@127.0.0.1 2>/dev/null & pids+=($!)
until [ -S "$dir/c" ]; do :; done
echo "plain ssh, shared      $(timed "${plain[@]}" "${port[@]}" -o "ControlPath=$dir/c" root@127.0.0.1 true) ms"
echo "ssh -V                 $(timed ssh -V) ms"
# The calls of tkm itself: those on a shared connection last as long as ssh and what the host does.
mkdir "$dir/bin"
cat >"$dir/bin/ssh" <<'SH'
#!/bin/bash
case " $* " in
*' -G '*) exec /usr/bin/ssh "$@" ;;
*ControlMaster=yes* | *ControlPath=none*) echo connection >>"$CALLS"; exec /usr/bin/ssh "$@" ;;
esac
begin=${EPOCHREALTIME/./}
/usr/bin/ssh "$@"
code=$?
echo "shared $((${EPOCHREALTIME/./} - begin))" >>"$CALLS"
exit $code
SH
chmod +x "$dir/bin/ssh"
for line in 'rotate dev' 'rotate dev --resume --now' 'rotate dev --now'; do
    # shellcheck disable=SC2086
    CALLS=$dir/calls PATH=$dir/bin:$PATH "$tkm" $line >/dev/null 2>&1
    echo "connections            $(grep -c connection "$dir/calls") by $(sed -n '$=' "$dir/calls") calls: tkm $line"
    cat "$dir/calls" >>"$dir/all" && rm "$dir/calls"
done
awk '/shared/ { print $2 / 1000 }' "$dir/all" | sort -n |
    awk '{ all[NR] = $1 } END { printf "tkm, shared connection %.1f ms, p90 %.1f ms\n", all[int((NR + 1) / 2)], all[int(NR * 0.9)] }'
echo "tkm test, new          $(timed "$tkm" test h1) ms"
