#!/usr/bin/env bash
# The server beside nginx, and with clients that mean harm. Needs wrk, nginx and python3.
#     cargo build --release && benches/http.sh [PROGRAM]
#     CONNECTIONS=2 chrt -f 10 benches/http.sh [PROGRAM]      # on a machine that has other work: never above 95 % of a processor
# Server and nginx have one processor, the clients another; what scrapes is one client alone, and there the server has all.
set -euo pipefail
cd "$(dirname "$0")/.."
program=${1:-$(find target -path '*/release/tetra' -type f | head -n 1)}
program=$(realpath "$program")
work=$(mktemp -d)
pids=()
finish() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    TETRA_DIR=$work/tetra HOME=$work "$program" tsm kill '*' --yes >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap finish EXIT
export HOME=$work TETRA_DIR=$work/tetra
port=24600
load() {
    taskset -c 1 wrk -t1 -c"${CONNECTIONS:-32}" -d5s --latency "$1" | awk -v what="$2" '
        /99%/ { p99 = $2 }
        /Non-2xx/ { bad = $NF }
        /Socket errors/ { bad = $0 }
        /Requests\/sec/ { print what ": " $2 " requests/s, p99 " p99 }
        END { if (bad) { print what ": answers that are none: " bad; exit 1 } }'
}

taskset -c 0 "$program" serve --port $port >/dev/null & server=$!
pids+=($server)
cat >"$work/nginx.conf" <<CONF
daemon off; worker_processes 1; pid $work/nginx.pid; error_log $work/error.log;
events { worker_connections 4096; }
http { access_log off; server { listen 127.0.0.1:$((port + 1)); location / { return 200 "ok\n"; } } }
CONF
taskset -c 0 nginx -e "$work/error.log" -c "$work/nginx.conf" & pids+=($!)
until curl -sf "localhost:$port/health" >/dev/null && curl -sf "localhost:$((port + 1))" >/dev/null; do :; done
load "http://localhost:$((port + 1))/" 'nginx return 200'
load "http://localhost:$port/health" 'tetra /health'

echo '-- with 200 slow clients and 1000 followers of events'
ulimit -n 4096 2>/dev/null || true
python3 - $port <<'PY' &
import socket, sys, time
port = int(sys.argv[1])
followers = []
for _ in range(1000):
    s = socket.create_connection(("127.0.0.1", port))
    s.sendall(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    followers.append(s)
slow = []
while True:
    for s in slow: s.close()
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
    for _ in range(8):
        for s in slow:
            try: s.send(b"G")
            except OSError: pass
        time.sleep(1)
PY
pids+=($!)
until [ "$(ls /proc/$server/fd | wc -l)" -gt 1200 ]; do :; done
load "http://localhost:$port/health" 'tetra /health'
grep VmRSS /proc/$server/status

echo '-- 1000 processes'
taskset -apc "0-$(($(nproc) - 1))" $server >/dev/null
for group in a b c d; do "$program" tsm start --name "many-$group" --instances 250 --no-wait sleep 100000 >/dev/null; done
for _ in 1 2 3 4 5 6 7 8; do
    curl -s -o /dev/null -w 'scrape: %{time_total} s, %{size_download} bytes; ' "localhost:$port/metrics"
    curl -s "localhost:$port/metrics" | awk '/^tetra_collect_duration_seconds/ { print "collected in " $2 " s" }'
    sleep 1
done
grep VmRSS /proc/$server/status

echo '-- daemon run, 100 services'
export TETRA_DIR=$work/daemon
mkdir -p "$TETRA_DIR/tsm/services-available"
for number in $(seq 100); do
    printf 'TSM_NAME=s%s\nTSM_COMMAND="sleep 100000"\n' "$number" >"$TETRA_DIR/tsm/services-available/s$number.tsm"
    "$program" tsm enable "s$number" >/dev/null
done
"$program" daemon run @dev >"$work/daemon.log" 2>&1 & daemon=$!
until grep -q 'ready: 100 of 100' "$work/daemon.log"; do sleep 0.1; done
switches() { awk '/ctxt/ { all += $2 } END { print all }' /proc/$daemon/task/*/status; }
ticks() { awk '{ print $14 + $15 }' /proc/$daemon/stat; }
sleep 5
before=$(switches) used=$(ticks)
sleep 60
grep -E 'VmRSS|RssAnon' /proc/$daemon/status
echo "in 60 s: $(($(switches) - before)) context switches, $(($(ticks) - used)) ticks of processor time"
kill $daemon
wait $daemon || true
