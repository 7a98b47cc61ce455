#!/usr/bin/env python3
"""One table of what a fresh Cairn does under load, with peers beside it in the same run.

`make load`; PEER_V1 and PEER_V2 name running servers, PEER_V1_PIDS and PEER_V2_PIDS their
processes (all of them), PEER_V2_ARGS what loadtest needs to know of a v2 log (--read-url,
--public-key). CPU is that of the server's processes alone, for each good answer: the figure to
compare, as rates depend on how many cores the generator leaves.
"""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

CAIRN, LOADTEST = os.environ["CAIRN"], os.environ["LOADTEST"]
LOGS = '[logs.v1]\napi = "v1"\n[logs.v2]\napi = "v2"\n[logs.bulk]\napi = "raw"\nhostname = "bulk.localhost"\n'
# name, arguments of loadtest, whose: "v1", "v2" or only ours; the CPU in ms that the project aims at
ROWS = [
    ("v1 write, 1 connection", "write -c 1 -n 2000", "v1", None),
    ("v1 write, 8", "write -c 8 -n 10000", "v1", None),
    ("v1 write, 64", "write -c 64 -n 40000", "v1", 0.18),
    ("v1 write, 256", "write -c 256 -n 40000", "v1", None),
    ("v2 write, 1 connection", "write --api v2 -c 1 -n 2000", "v2", None),
    ("v2 write, 64", "write --api v2 -c 64 -n 40000", "v2", 0.13),
    ("v2 write, 256", "write --api v2 -c 256 -n 40000", "v2", None),
    ("v2 write, gRPC, 64", "write --api v2-grpc -c 64 -n 20000", "v2", None),
    ("append stream, 4 x 4096", "append -c 4 --window 4096 -n 500000 --check-every 100000", "", 0.010),
    ("entry by index", "read --by index -c 8 -n 20000", "v1", 0.06),
    ("entry by ID", "read --by uuid -c 8 -n 20000", "v1", None),
    ("ten entries at once", "read --by retrieve -c 8 -n 5000", "v1", None),
    ("consistency proof", "read --by proof -c 8 -n 20000", "v1", 0.05),
    ("search by hash", "read --by search -c 8 -n 20000", "v1", 0.06),
    ("full tile", "tiles --what tiles -c 8 -n 20000", "v2", 0.03),
    ("entry bundle", "tiles --what bundles -c 8 -n 20000", "v2", None),
]


def run(arguments, url, pids, extra=()):
    """The only run of a report; None when the server cannot answer such a load."""
    command = [LOADTEST, *shlex.split(arguments), "--output", "json", "--warm-up", "50", *extra]
    for pid in pids:
        command += ["--server-pid", str(pid)]
    done = subprocess.run([*command, url], capture_output=True, text=True, timeout=120)
    if not done.stdout:
        print(f"{url}: {arguments}: {done.stderr.strip()[:200]}", file=sys.stderr)
        return None
    report = json.loads(done.stdout)
    if not report["good"]:
        failures = report["runs"][0]["checks"]["failures"]["first"] or report["runs"][0]["errors"]
        print(f"{url}: {arguments}: {json.dumps(failures)[:300]}", file=sys.stderr)
    return report["runs"][0]


def cells(result):
    if not result or not result["entries"]:
        return "– | – | –"
    cpu = result["server_cpu_ms_per_entry"]
    latency = result["latency"]
    return (f"{result['entries_per_second']:,.0f} | {latency['p50_ms']:.3g} / {latency['p99_ms']:.3g} | "
            + ("–" if cpu is None else f"{cpu:.3f}"))


def resident(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1)) / 1024


def size_of(folder):
    files = (os.path.join(at, name) for at, _, names in os.walk(folder) for name in names)
    return sum(os.path.getsize(file) for file in files)


def limit():
    """What `benches/limit.rs` says; None when it is not there."""
    if not os.environ.get("LIMIT"):
        return None
    done = subprocess.run(shlex.split(os.environ["LIMIT"]), capture_output=True, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1]) if done.returncode == 0 else None


def start(folder):
    with open(f"{folder}/cairn.toml", "w", encoding="ascii") as config:
        config.write(LOGS)
    began = time.monotonic()
    server = subprocess.Popen(
        [CAIRN, "serve", "--config", f"{folder}/cairn.toml", "--data-dir", f"{folder}/data", "--listen",
         "127.0.0.1:0", "--metrics-listen", "off", "--log-level", "error"],
        stdout=subprocess.PIPE, text=True)
    url = None
    for line in server.stdout:
        url = url or (re.search(r"http://[0-9.:]+", line) or [None])[0]
        if "END PUBLIC" in line:
            break
    return server, url, time.monotonic() - began


def main():
    peers = [(name, os.environ[f"PEER_{name}"], os.environ.get(f"PEER_{name}_PIDS", "").split(),
              shlex.split(os.environ.get(f"PEER_{name}_ARGS", "")))
             for name in ("V1", "V2") if os.environ.get(f"PEER_{name}")]
    # Beside the program: a temporary folder may be in memory.
    folder = tempfile.mkdtemp(prefix="load-", dir=os.path.dirname(CAIRN))
    server, url, started = start(folder)
    try:
        time.sleep(1)
        idle, measured, entries = resident(server.pid), {}, {"v1": 0, "v2": 0}
        head = "| | Cairn: /s | p50 / p99 ms | CPU ms | aim |"
        print(head + "".join(f" {peer[0].lower()} peer: /s | p50 / p99 ms | CPU ms |" for peer in peers))
        print("|---|" + "--:|--:|--:|--:|" + "--:|--:|--:|" * len(peers))
        for name, arguments, whose, aim in ROWS:
            result = measured[name] = run(f"{arguments} -d 20s", url, [server.pid])
            line = f"| {name} | {cells(result)} | {'' if aim is None else f'≤ {aim}'} |"
            for peer, peer_url, pids, extra in peers:
                fits = whose == peer.lower() and "v2-grpc" not in arguments
                line += f" {cells(run(f'{arguments} -d 8s', peer_url, pids, extra) if fits else None)} |"
            print(line, flush=True)
            if name == "v1 write, 256":
                grown, bytes_v1 = resident(server.pid), size_of(f"{folder}/data")
                entries = sum(measured[row[0]]["entries"] for row in ROWS if row[0].startswith("v1 write"))
        print(f"\nstart {started * 1e3:.0f} ms; resident {idle:.0f} MiB idle, {grown:.0f} MiB after {entries:,} v1 "
              f"entries; {bytes_v1 / entries:.0f} bytes on disk for each of them, indices and logs included")
        if lowest := limit():
            for api, name in (("v1", "v1 write, 64"), ("v2", "v2 write, 64"), ("append", "append stream, 4 x 4096")):
                cpu = measured[name]["server_cpu_ms_per_entry"] * 1e3
                print(f"{name}: {cpu:.1f} µs of CPU, {cpu / lowest[f'{api}_cpu_us']:.2f} times the least "
                      f"that this machine needs ({lowest[f'{api}_cpu_us']:.1f} µs)")
            p50 = measured["v1 write, 1 connection"]["latency"]["p50_ms"] * 1e3
            print(f"v1 write, 1 connection: p50 {p50:.0f} µs, {p50 / lowest['v1_latency_us']:.2f} times the least")
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=40)
        shutil.rmtree(folder)
    return 0 if all(measured.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
