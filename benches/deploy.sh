#!/bin/bash
# What a deploy costs, next to Ansible and to the lines of ssh and scp that are typed without either: as root, with unshare and ip.
#
#     benches/deploy.sh target/release/tetra [ANSIBLE] [RUNS]
#
# ANSIBLE is the directory of `ansible-playbook` (python3 -m venv /tmp/a && /tmp/a/bin/pip install ansible-core); without it, or with
# `-`, that part is left out. Ten hosts are ten network namespaces on one bridge, each with an sshd, a /root of its own and a service of
# python that answers on port 8080. All of it is in a namespace of its own and ends with the script.
set -euo pipefail
if [ -z "${DEPLOY_BENCH_INSIDE-}" ]; then
    DEPLOY_BENCH_INSIDE=1 exec unshare --net --mount --propagation private "$0" "$@"
fi
program=$(readlink -f "${1:?the program}")
ansible=${2:--} runs=${3:-5} hosts=10
dir=$(mktemp -d)
pids=()
finish() {
    for pid in /proc/[0-9]*; do
        case " ${nets[*]-} " in *" $(readlink "$pid/ns/net" 2>/dev/null) "*) kill -9 "${pid#/proc/}" 2>/dev/null || true ;; esac
    done
    kill "${pids[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$dir"
}
trap finish EXIT
export HOME=$dir/home
mkdir -p "$HOME/bin" "$HOME/.ssh"
ln -s "$program" "$HOME/bin/tetra"
ssh-keygen -q -t ed25519 -N '' -f "$dir/own"
ip link set lo up
ip link add br0 type bridge
ip address add 10.77.0.254/24 dev br0
ip link set br0 up
nets=()

cat >"$dir/app.py" <<'PY'
import http.server, os, sys
if os.environ.get("MODE") == "sick":
    sys.exit(1)
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ.get("MODE", "none").encode())
    def log_message(self, *words):
        pass
http.server.ThreadingHTTPServer(("", 8080), Answer).serve_forever()
PY

serve() { # NUMBER: a host
    local root=$dir/root$1
    mkdir -p "$root/.ssh/etc" "$root/bin"
    ssh-keygen -q -t ed25519 -N '' -f "$root/.ssh/host_key"
    cp "$dir/own.pub" "$root/.ssh/authorized_keys"
    cp "$dir/app.py" "$root/app.py"
    ln "$program" "$root/bin/tetra" 2>/dev/null || cp "$program" "$root/bin/tetra"
    unshare --net --mount --pid --fork --kill-child --mount-proc --propagation private sh -c "mount -t tmpfs tmpfs /run && mkdir /run/sshd && mount --bind '$root' /root &&
        mount --bind /root/.ssh/etc /etc/ssh && until ip -br link | grep -q eth0; do sleep 0.01; done && ip link set lo up &&
        ip address add 10.77.0.$1/24 dev eth0 && ip link set eth0 up && exec /usr/sbin/sshd -D -E /root/.ssh/log -f /dev/null \
        -o LogLevel=VERBOSE -o HostKey=/root/.ssh/host_key -o PidFile=none -o StrictModes=no -o UseDNS=no -o UsePAM=no \
        -o AuthorizedKeysFile=/root/.ssh/authorized_keys -o MaxStartups=100 -o Subsystem='sftp internal-sftp' \
        -o 'SetEnv=PATH=/root/bin:/usr/bin:/bin'" &
    pids+=($!)
    host[$1]=$!
    until [ "$(readlink "/proc/$!/ns/net")" != "$(readlink /proc/self/ns/net)" ]; do :; done
    nets+=("$(readlink "/proc/$!/ns/net")")
    ip link add "v$1" type veth peer name eth0 netns $!
    ip link set "v$1" master br0 up
}
host=()
at() { local number=$1 of=/proc/${host[$1]}/ns; shift; nsenter --net="$of/net" --mount="$of/mnt" --pid="$of/pid_for_children" "$@"; }
answers() { curl -s -m 2 "http://10.77.0.$1:8080/" || echo none; }
logins() { cat "$dir"/root*/.ssh/log | grep -c 'Accepted publickey' || true; }
commands() { cat "$dir"/root*/.ssh/log | grep -c 'Starting session' || true; }
now() { date +%s%N; }
median() { sort -n | sed -n "$((($1 + 1) / 2))p"; }

for number in $(seq "$hosts"); do serve "$number"; done
for number in $(seq "$hosts"); do
    until ssh-keyscan "10.77.0.$number" 2>/dev/null | grep -q ssh; do sleep 0.05; done
done

export PATH=$HOME/bin:$PATH
export TETRA_DIR=$HOME/tetra
tetra -y -c 'org init acme; tkm init' >/dev/null 2>&1
for number in $(seq "$hosts"); do
    tetra -y -c "tkm host add h$number root@10.77.0.$number --env dev --fingerprint $(ssh-keygen -lf \
        "$dir/root$number/.ssh/host_key.pub" | cut -d ' ' -f 2)" >/dev/null 2>&1
    tetra -y -c "tkm bootstrap h$number --identity $dir/own" >/dev/null 2>&1
done
local_toml=$TETRA_DIR/org/acme/environments/local.toml
mode() { # MODE: the service has another environment variable
    python3 - "$local_toml" "$1" <<'PY'
import re, sys
text = open(sys.argv[1]).read()
service = f"""[services.web]
command = "python3 /root/app.py"
port = 8080
health = "http://127.0.0.1:8080/"
[services.web.export]
MODE = "{sys.argv[2]}"

"""
text = re.sub(r"(?ms)^\[services.*?(?=^\[resources\])", lambda _: service, text)
open(sys.argv[1], "w").write(text)
PY
}
names() { seq -s, -f 'h%g' "$1"; }
deploy() { # HOSTS MODE [OPTION…]
    local count=$1
    mode "$2"
    shift 2
    tetra -y -c "org deploy @dev --hosts $(names "$count") --min-healthy-time 0s --canary 0 --max-parallel 10 $*" >"$dir/said" 2>&1
}
measured() { # NAME COMMAND…: median milliseconds, and what the last run cost
    local name=$1 before sessions begin
    shift
    for run in $(seq "$runs"); do
        before=$(logins) sessions=$(commands) begin=$(now)
        "$@" "$run" || { echo "failed: $name"; cat "$dir/said"; exit 1; }
        echo $((($(now) - begin) / 1000000)) "$(($(logins) - before))" "$(($(commands) - sessions))"
    done >"$dir/runs"
    printf '%-44s %6s ms  %3s logins  %3s commands\n' "$name" "$(cut -d ' ' -f 1 "$dir/runs" | median "$runs")" \
        $(tail -n 1 "$dir/runs" | cut -d ' ' -f 2-)
}
staged() { # HOSTS: milliseconds from the first lock to the last release that is staged, by the journals of the last deploy
    python3 - "$dir" "$1" <<'PY'
import json, sys
begin, end = [], []
for number in range(1, int(sys.argv[2]) + 1):
    lines = [json.loads(line) for line in open(f"{sys.argv[1]}/root{number}/tetra/org/acme/deploy/journal.jsonl")]
    last = [line for line in lines if line["txid"] == lines[-1]["txid"]]
    begin += [line["at_ms"] for line in last if line["to"] == "STAGING"]
    end += [line["at_ms"] for line in last if line["to"] == "STAGED"]
print(max(end) - min(begin))
PY
}

deploy "$hosts" first || { cat "$dir/said"; exit 1; }
echo "## tetra, on $(nproc) processors"
nothing() { tetra -y -c 'org deploy @dev --hosts h1' >"$dir/said" 2>&1; }
one() { deploy 1 "one$1"; }
three() { deploy 3 "three$1"; }
ten() { deploy 10 "ten$1"; }
measured 'nothing to do, 1 host' nothing
measured 'config to healthy, 1 host' one
measured 'config to healthy, 3 hosts' three
measured 'config to healthy, 10 hosts' ten

# 20 MB of application files, to one host and to ten, each behind a line of 100 Mbit/s: without it both ends of all of them share
# the processors, and ten take as long as their bytes need there.
for number in $(seq "$hosts"); do tc qdisc add dev "v$number" root tbf rate 100mbit burst 64kb latency 50ms; done
mkdir -p "$TETRA_DIR/dist"
application() { head -c "$1" /dev/urandom >"$TETRA_DIR/dist/app"; }
grep -q '^\[release\]' "$local_toml" || sed -i 's/^\[services.web\]$/[release]\nfrom = "dist\/"\n\n[services.web]/' "$local_toml"
mode() { sed -i "s/^MODE = .*/MODE = \"$1\"/" "$local_toml"; }
application 20000000
deploy 1 staged1 || { cat "$dir/said"; exit 1; }
of_one=$(staged 1)
application 20000000
deploy 10 staged10 || { cat "$dir/said"; exit 1; }
echo "20 MB staged on 1 host: $of_one ms, on 10 hosts: $(staged 10) ms"

# 60 MB to h1, cut at half: what was received is not sent again. The bytes are those of the interface.
application 60000000
mode big
received() { ip -s -j link show v1 | python3 -c 'import json,sys; print(json.load(sys.stdin)[0]["stats64"]["tx"]["bytes"])'; }
start=$(received)
tetra -y -c 'org deploy @dev --hosts h1 --min-healthy-time 0s' >"$dir/said" 2>&1 & deployer=$!
until [ $(($(received) - start)) -gt 30000000 ]; do sleep 0.01; done
ip link set v1 down
kill -9 "$deployer"
wait "$deployer" 2>/dev/null || true
echo "60 MB cut at: $((($(received) - start) / 600000)) %"
ip link set v1 up
until at 1 flock -n /root/tetra/org/acme/deploy/lock true; do sleep 0.2; done
start=$(received)
tetra -y -c 'org deploy @dev --hosts h1 --min-healthy-time 0s' >"$dir/said" 2>&1 || cat "$dir/said"
echo "… sent again in all: $((($(received) - start) / 600000)) %"
for number in $(seq "$hosts"); do tc qdisc del dev "v$number" root; done

until_switched() { until [ "$(at 1 cat /root/tetra/org/acme/current/environments/dev.toml | sed -n 's/^MODE = "\(.*\)"/\1/p')" = "$1" ]; do :; done; }
mode killed
tetra -y -c 'org deploy @dev --hosts h1 --min-healthy-time 600s' >"$dir/said" 2>&1 & deployer=$!
until_switched killed
begin=$(now)
kill -9 "$deployer"
wait "$deployer" 2>/dev/null || true
until at 1 flock -n /root/tetra/org/acme/deploy/lock true; do :; done
echo "lock free after SIGKILL: $((($(now) - begin) / 1000000)) ms"
until [ "$(answers 1)" = big ]; do :; done
echo "old version serves after SIGKILL: $((($(now) - begin) / 1000000)) ms"

mode sick
tetra -y -c 'org deploy @dev --hosts h1' >"$dir/said" 2>&1 & deployer=$!
until_switched sick
begin=$(now)
until [ "$(answers 1)" = none ]; do :; done
until [ "$(answers 1)" = big ]; do :; done
code=0
wait "$deployer" || code=$?
echo "old version serves after a release that ends at once: $((($(now) - begin) / 1000000)) ms, exit code $code"

# Readers of what is current, while it is switched a thousand times, are in tests/it/releases.rs.
# What is done without tetra: the file of the environment is copied, applied, and the service asked. Each has its own TETRA_DIR there.
for number in $(seq "$hosts"); do
    at "$number" env HOME=/root PATH=/root/bin:/usr/bin:/bin tetra -y -c 'tsm delete all' >/dev/null 2>&1
    mkdir -p "$dir/root$number/plain/org/acme/environments"
done
sed -i '/^\[release\]/,/^from/d' "$local_toml"
dev_toml=$TETRA_DIR/org/acme/environments/dev.toml
promote() { mode "$1"; tetra -y -c 'org promote @dev' >"$dir/said" 2>&1; }
line='TETRA_DIR=/root/plain tetra -y -c "tsm org use acme; tsm org apply @dev"'
ssh_options=(-F none -i "$dir/own" -o IdentitiesOnly=yes -o IdentityAgent=none -o StrictHostKeyChecking=no -o LogLevel=ERROR
    -o "UserKnownHostsFile=$dir/known")
lines() { # HOSTS: the lines of the documents, host by host
    local number to
    for number in $(seq "$1"); do
        to=root@10.77.0.$number
        scp -q "${ssh_options[@]}" "$dev_toml" "$to:/root/plain/org/acme/environments/dev.toml" &&
            ssh "${ssh_options[@]}" "$to" "$line" && ssh "${ssh_options[@]}" "$to" 'curl -sf http://localhost:8080/' || return 1
    done >"$dir/said" 2>&1
}
cat >"$dir/play.yml" <<YML
- hosts: all
  gather_facts: false
  tasks:
    - copy: { src: "$dev_toml", dest: /root/plain/org/acme/environments/dev.toml }
    - shell: '$line'
    - uri: { url: "http://127.0.0.1:8080/" }
YML
for number in $(seq "$hosts"); do
    echo "h$number ansible_host=10.77.0.$number ansible_user=root ansible_ssh_private_key_file=$dir/own" \
        "ansible_python_interpreter=/usr/bin/python3 ansible_ssh_extra_args='-F none -o IdentitiesOnly=yes -o StrictHostKeyChecking=no" \
        "-o UserKnownHostsFile=$dir/known'"
done >"$dir/inventory"
play() { ANSIBLE_LOCALHOST_WARNING=0 "$ansible/ansible-playbook" -i "$dir/inventory" -f 10 -l "$(names "$1")" "$dir/play.yml" >"$dir/said" 2>&1; }

echo "## side by side"
for count in 3 10; do
    by_deploy() { deploy "$count" "side$count$1"; }
    by_lines() { promote "lines$count$1" && lines "$count"; }
    by_play() { promote "play$count$1" && play "$count"; }
    [ "$count" = 10 ] || measured 'first time, by lines' by_lines
    measured "lines of ssh and scp, $count hosts" by_lines
    [ "$ansible" = - ] || measured "ansible, $count hosts" by_play
    # For the deploys the services of the others are away.
    for number in $(seq "$hosts"); do
        at "$number" env HOME=/root TETRA_DIR=/root/plain PATH=/root/bin:/usr/bin:/bin tetra -y -c 'tsm delete all' >/dev/null 2>&1 || true
    done
    deploy "$count" "again$count" || cat "$dir/said"
    measured "org deploy, $count hosts" by_deploy
    for number in $(seq "$hosts"); do
        at "$number" env HOME=/root PATH=/root/bin:/usr/bin:/bin tetra -y -c 'tsm delete all' >/dev/null 2>&1 || true
    done
done

echo "## killed in the middle, 3 hosts, looked at 20 s later"
look() { # NAME NEW FILE: what each host has
    local number
    sleep 20
    for number in 1 2 3; do
        printf '%-22s h%s: file %-4s serves %-4s left over: %s\n' "$1" "$number" \
            "$(at "$number" grep -q "\"$2\"" "$3" && echo new || echo old)" "$([ "$(answers "$number")" = "$2" ] && echo new || echo old)" \
            "$(at "$number" sh -c 'find /root/.ansible/tmp -mindepth 1 -maxdepth 1 2>/dev/null; find /root/tetra/org/acme/deploy -name "*.watch" -o -name reserve 2>/dev/null' | wc -l)"
    done
}
killed() { # NAME NEW FILE COMMAND…: killed once the first host has the new file
    local name=$1 new=$2 file=$3
    shift 3
    setsid "$@" >"$dir/said" 2>&1 & local tool=$!
    until at 1 grep -q "\"$new\"" "$file"; do :; done
    kill -9 -- "-$tool"
    wait "$tool" 2>/dev/null || true
    look "$name" "$new" "$file"
}
plain=/root/plain/org/acme/environments/dev.toml
export -f lines
promote before && lines 3
promote linesnew
declare -p ssh_options line dev_toml dir >"$dir/env"
killed 'lines of ssh and scp' linesnew "$plain" bash -c "source $dir/env; lines 3"
if [ "$ansible" != - ]; then
    lines 3
    promote playnew
    killed ansible playnew "$plain" "$ansible/ansible-playbook" -i "$dir/inventory" -l "$(names 3)" "$dir/play.yml"
fi
for number in 1 2 3; do
    at "$number" env HOME=/root TETRA_DIR=/root/plain PATH=/root/bin:/usr/bin:/bin tetra -y -c 'tsm delete all' >/dev/null 2>&1 || true
done
deploy 3 beforedeploy || cat "$dir/said"
mode deploynew
killed 'org deploy' deploynew /root/tetra/org/acme/current/environments/dev.toml \
    tetra -y -c "org deploy @dev --hosts $(names 3) --min-healthy-time 0s --canary 0 --max-parallel 1"
