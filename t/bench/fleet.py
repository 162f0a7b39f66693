"""Several nginx that share quotas through one Redis, for measurements: each
quota, in each mode, is a location of its own, as in /lease/100/1s?k=KEY."""

import os
import re
import subprocess
import sys
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../system/shared"))
import redis  # noqa: E402

WORKERS = 2


def redis_us(client):
    """Microseconds of processor time that Redis has used."""
    text = client("INFO", "cpu").decode()
    return sum(1e6 * float(s) for s in re.findall(r"used_cpu_(?:sys|user):([\d.]+)", text))


def conf(port, number, cells, redis_port, directory, module):
    http, server = [], []
    for i, (mode, quota) in enumerate(cells):
        shared = ""
        if mode != "local":
            http.append(f"ratelimit_redis r{i} server=127.0.0.1:{redis_port} timeout=1s;")
            shared = f"redis=r{i} mode={mode} on_error=refuse"
        if mode != "none":
            http.append(f"ratelimit_zone zone=z{i}:1m {shared};")
            http.append(f"ratelimit_policy p{i} key=$arg_k quota={quota} zone=z{i};")
        limit = f"ratelimit p{i};" if mode != "none" else ""
        server.append(f"location = /{mode}/{quota} {{ {limit} empty_gif; }}")
    lines = "\n    ".join(http), "\n        ".join(server)
    user = "user root;" if os.getuid() == 0 else ""
    return f"""load_module {module};
{user}
daemon off; worker_processes {WORKERS};
pid m{number}.pid; error_log {directory}/m{number}.log notice;
events {{ worker_connections 1024; }}
http {{
    access_log off; keepalive_requests 100000000;
    client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3;
    uwsgi_temp_path t4; scgi_temp_path t5;
    {lines[0]}
    server {{
        listen 127.0.0.1:{port};
        {lines[1]}
        location /free {{ empty_gif; }}
        location /ratelimit/ {{ ratelimit_api; }}
    }}
}}
"""


class Fleet:
    """`count` machines with a location for each (mode, quota) of `cells`."""

    def __init__(self, count, cells, redis_port):
        self.cells = cells
        directory = os.environ["DIR"]
        self.ports, self.processes = [], []
        for number in range(count):
            port = redis.free_port()
            path = f"{directory}/m{number}.conf"
            with open(path, "w") as out:
                out.write(conf(port, number, cells, redis_port, directory,
                               os.environ["MODULE"]))
            self.processes.append(subprocess.Popen(
                ["nginx", "-p", f"{directory}/", "-c", path, "-e", "stderr"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            self.ports.append(port)
        for port in self.ports:
            self.wait(port)
        time.sleep(1.5)  # a link to Redis, and the shards of a new one

    @staticmethod
    def wait(port):
        for _ in range(100):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/free").read()
                return
            except OSError:
                time.sleep(0.1)
        sys.exit("nginx does not start")

    def local_share(self, cell):
        """What part of its decisions was made without asking Redis."""
        name = f'redis="r{self.cells.index(cell)}"'
        sums = {"lease": 0, "redis": 0}
        for port in self.ports:
            url = f"http://127.0.0.1:{port}/ratelimit/metrics"
            for line in urllib.request.urlopen(url).read().decode().splitlines():
                by = re.search(r'by="(lease|redis)"\S* (\d+)$', line)
                if by and name in line:
                    sums[by[1]] += int(by[2])
        return sums["lease"] / max(1, sum(sums.values()))

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def row(what, wanted, measured):
    print(f"| {what} | {wanted} | {measured} |", flush=True)
