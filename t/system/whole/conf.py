"""A world as nginx.conf."""

PER_POLICY = ("status", "limit", "remaining", "reset", "retry_after", "key_id")
OVERALL = ("status", "policy", "limit", "remaining", "reset", "retry_after",
           "waited_ms")


def standing_format(world):
    """What a request tells of itself, to its back ends and in the log."""
    groups = [",".join(f"$ratelimit_{v}" for v in OVERALL)]
    groups += [",".join(f"${{ratelimit_{v}_{p.name}}}" for v in PER_POLICY)
               for p in world.policies]
    return "|".join(groups)


def header_map(variable, header, default):
    return (f"map $http_{header} ${variable} "
            f"{{ default $http_{header}; '' '{default}'; empty ''; }}")


def maps(world):
    lines = []
    for policy in world.policies:
        name = policy.name
        if policy.quota_varies:
            lines.append(header_map(f"quota_{name}", f"x_quota_{name}",
                                    policy.quota))
        if policy.capacity_varies:
            lines.append(header_map(f"capacity_{name}", f"x_capacity_{name}",
                                    policy.capacity))
        lines.append(header_map(f"cost_{name}", f"x_cost_{name}", 1))
    return lines


def policy_directive(policy):
    name = policy.name
    words = ["ratelimit_policy", name]
    words += ["key=" + source for source in policy.key]
    quota = f"$quota_{name}" if policy.quota_varies else policy.quota
    words += ["concurrent=" + quota] if policy.algorithm == "concurrent" \
        else ["quota=" + quota, "algorithm=" + policy.algorithm]
    if policy.scale_varies:
        words.append(f"scale=$http_x_scale_{name}")
    if policy.capacity:
        words.append("capacity=" + (f"$capacity_{name}"
                                    if policy.capacity_varies
                                    else policy.capacity))
    if policy.tz_ms:
        minutes = abs(policy.tz_ms) // 60_000
        words.append(f"tz={'-' if policy.tz_ms < 0 else '+'}"
                     f"{minutes // 60:02}:{minutes % 60:02}")
    for parameter in ("skip", "count"):
        statuses = getattr(policy, parameter + "_status")
        if statuses:
            words.append(f"{parameter}_status="
                         + ",".join(map(str, statuses)))
        if getattr(policy, parameter + "_if"):
            words.append(f"{parameter}_if=$http_x_{parameter}")
    if policy.status:
        words.append(f"status={policy.status}")
    if policy.bans_ms:
        words.append("ban=" + ",".join(f"{ms // 1000}s"
                                       for ms in policy.bans_ms))
        words.append(f"after={policy.ban_after}")
    words += [flag for flag in ("hidden", "keep", "ban_restarts")
              if getattr(policy, flag)]
    return " ".join(words) + ";"


def line_directive(line):
    name = line.policy.name
    words = ["ratelimit", name]
    if line.precontent:
        words.append("phase=precontent")
    if line.methods:
        words.append("methods=" + "!" * line.methods_excluded
                     + ",".join(line.methods))
    if line.conditional:
        words.append("if=$http_x_if")
    if line.cost_varies:
        words.append(f"cost=$cost_{name}")
    if line.settles:
        words.append(f"settle=$http_x_settle_{name}")
    if line.settles == "end":
        words.append("settle_at=end")
    if line.dry_run:
        words.append("dry_run=" + dry_run(line.dry_run))
    if line.wait_ms:
        words += [f"wait={line.wait_ms}ms", f"queue={line.queue}"]
    return " ".join(words) + ";"


def dry_run(setting):
    return "$http_x_dry" if setting == "varies" else setting


def location_block(location):
    lines = [line_directive(line) for line in location.own_lines]
    lines.append(f"ratelimit_inherit {location.inherit};")
    lines.append(f"ratelimit_status {location.status};")
    if location.on_error != "pass":
        lines.append(f"ratelimit_on_error {location.on_error};")
    if location.dry_run:
        lines.append(f"ratelimit_dry_run {dry_run(location.dry_run)};")
    if location.auth:
        lines.append("auth_request /auth;")
        lines.append("auth_request_set $user $upstream_http_x_user;")
    if location.try_files:
        lines.append(f"try_files /nowhere {location.try_files};")
    for code, overwrite, target in location.error_pages:
        lines.append(f"error_page {code} {overwrite} {target};")
    if location.intercept:
        lines.append("proxy_intercept_errors on;")
    if location.post_action:
        lines.append(f"post_action {location.post_action};")
    lines.append("empty_gif;" if location.content == "gif"
                 else "proxy_pass http://backend;")
    exact = "" if location.name.startswith("@") else "= "
    return [f"location {exact}{location.name} {{",
            *("    " + line for line in lines), "}"]


def nginx_conf(world, module, workers, port, directory):
    standing = standing_format(world)
    server = [line_directive(line) for line in world.server_lines]
    for location in world.locations:
        server += location_block(location)
    indented = "\n        ".join
    return f"""\
{f"load_module {module};" if module else ""}
worker_processes {workers};
pid nginx.pid;
error_log error.log warn;
env LD_PRELOAD; env FAKETIME_TIMESTAMP_FILE; env FAKETIME_NO_CACHE;
env FAKETIME_DONT_FAKE_MONOTONIC; env TZ;
events {{ worker_connections 512; }}

http {{
    log_format told "$http_x_step;$pid;{standing}";
    access_log access.log told;
    client_body_temp_path tmp1;
    proxy_temp_path tmp2;
    fastcgi_temp_path tmp3;
    uwsgi_temp_path tmp4;
    scgi_temp_path tmp5;

    # The clock jumps.
    client_header_timeout 1000d;
    client_body_timeout 1000d;
    send_timeout 1000d;
    keepalive_timeout 1000d;
    keepalive_time 1000d;
    keepalive_requests 1000000000;
    proxy_connect_timeout 1000d;
    proxy_read_timeout 1000d;
    proxy_send_timeout 1000d;
    lingering_close off;

    upstream backend {{ server unix:{directory}/backend.sock max_fails=0; }}

    {indented(maps(world))}

    ratelimit_zone zone=all:1m;
    ratelimit_key $client $user header=X-Key;
    ratelimit_log_level info;
    ratelimit_headers x-ratelimit;

    {indented(map(policy_directive, world.policies))}

    server {{
        listen 127.0.0.1:{port}{" reuseport" if workers > 1 else ""};
        default_type text/plain;
        proxy_set_header X-Step $http_x_step;
        proxy_set_header X-Standing "{standing}";
        proxy_pass_request_headers off;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";

        {indented(server)}

        location = /auth {{
            internal;
            ratelimit off;
            proxy_pass http://backend/auth;
        }}
        location = /worker {{
            ratelimit off;
            access_log off;
            return 200 $pid;
        }}
        location /ratelimit/ {{
            ratelimit off;
            ratelimit_api write=on;
            allow 127.0.0.1;
            deny all;
            access_log off;
        }}
    }}
}}
"""
