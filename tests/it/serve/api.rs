//! `/api/…` and `/metrics`: the shapes that are promised, no secrets, and streams that lose nothing.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::Serving;
use super::client::{Answer, connect, get};
use crate::ports::free_port;
use crate::sandbox::Sandbox;
use crate::schema::{misfits, schema};
use crate::waiting::eventually;

/// A server in a sandbox.
fn serving(sandbox: &Sandbox) -> Serving {
    let port = free_port();
    Serving::in_sandbox(sandbox, port, &["--port", &port.to_string()], &[])
}

#[track_caller]
fn json_of(port: u16, path: &str) -> Value {
    let Answer { status, body, .. } = get(port, path);
    assert!(status == 200 || status == 503, "{path}: {status} {body}");
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"))
}

/// Begins to follow a path.
pub(super) struct Follower(BufReader<TcpStream>);

impl Follower {
    pub(super) fn of(port: u16, path: &str, last: Option<&str>) -> Self {
        let mut stream = connect(port);
        let last = last.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        // By this version of HTTP the body comes as it is.
        let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\nAccept: text/event-stream\r\n{last}\r\n");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut follower = Self(BufReader::new(stream));
        let head = follower.block();
        assert!(head.starts_with("HTTP/1.0 200") && head.contains("text/event-stream"), "{head}");
        assert_eq!(follower.block(), "retry: 1000\n");
        follower
    }

    /// All up to the next empty line.
    fn block(&mut self) -> String {
        let mut block = String::new();
        loop {
            let mut line = String::new();
            let count = self.0.read_line(&mut line).expect("more comes");
            if count == 0 || line.trim_end().is_empty() {
                return block;
            }
            block.push_str(&line);
        }
    }

    /// The id and the data of the next event; none at the end.
    pub(super) fn next(&mut self) -> Option<(Option<String>, Value)> {
        loop {
            let block = self.block();
            if block.is_empty() {
                return None;
            }
            let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
            if let Some(data) = field("data: ") {
                return Some((field("id: "), serde_json::from_str(&data).expect("JSON")));
            }
        }
    }

    /// The next line of a log.
    fn line(&mut self) -> (Option<String>, String) {
        let (id, data) = self.next().expect("a line");
        (id, data["line"].as_str().unwrap_or_default().to_owned())
    }
}

/// What can be asked for, made from the schemas of the commands.
fn description() -> Value {
    let part = |name: &str, pointer: &str| {
        let whole = schema(name);
        let mut part = whole.pointer(pointer).expect("the part is there").clone();
        part.as_object_mut().expect("an object").retain(|key, _| !matches!(key.as_str(), "$schema" | "title"));
        part
    };
    let of = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let body = |kind: &str, schema: Value| json!({ kind: { "schema": schema } });
    let parameter = |place: &str, name: &str, kind: Value, what: &str| json!({ "name": name, "in": place, "required": place == "path", "schema": kind, "description": what });
    let name = || parameter("path", "name", json!({ "type": "string" }), "the full name of a process");
    let path = |what: &str, parameters: Vec<Value>, answers: Vec<(&str, &str, Value)>| {
        let mut all = serde_json::Map::new();
        for (status, meaning, content) in answers {
            all.insert(status.to_owned(), json!({ "description": meaning, "content": content }));
        }
        let error = body("application/json", of("Error"));
        all.insert("default".to_owned(), json!({ "description": "Why there is no answer", "content": error }));
        json!({ "get": { "summary": what, "parameters": parameters, "responses": all } })
    };
    let health = || {
        let content = body("application/json", of("Health"));
        vec![("200", "All is well", content.clone()), ("503", "What is wrong", content)]
    };
    let last =
        || parameter("header", "Last-Event-ID", json!({ "type": "string" }), "the id of the last event, to go on");
    let text = || json!({ "type": "string" });
    let object = |properties: Value| {
        let required: Vec<&String> = properties.as_object().expect("an object").keys().collect();
        json!({ "type": "object", "required": required, "properties": properties, "additionalProperties": false })
    };
    let (count, maybe) = (json!({ "type": "integer" }), json!({ "type": ["string", "null"] }));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "tetra serve",
            "version": "1",
            "description": "Health, metrics and the state of processes, read only. Where a token is required: `Authorization: Bearer TOKEN`."
        },
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "schemas": {
                "Health": object(json!({
                    "status": { "type": "string", "enum": ["ok", "starting", "down"] },
                    "reasons": { "type": "array", "items": text() },
                    "version": text(), "release": text(), "org": maybe, "env": maybe, "uptime": count,
                    "services": object(json!({ "enabled": count, "up": count, "starting": count, "down": count, "off": count })),
                })),
                "HealthOfOne": object(json!({
                    "status": { "type": "string", "enum": ["ok", "starting", "down", "off"] },
                    "name": text(), "kind": { "type": "string", "enum": ["service", "process"] }, "reason": maybe,
                    "processes": { "type": "array", "items": text() },
                })),
                "Live": object(json!({ "status": text(), "version": text(), "uptime": count })),
                "Process": part("tsm-list", "/items"),
                "ProcessDetails": part("tsm-info", ""),
                "LogLine": part("tsm-logs", "/items"),
                "Event": {
                    "type": "object",
                    "required": ["v", "at_ms", "id", "name", "pid", "event"],
                    "properties": {
                        "v": count, "at_ms": count, "id": count, "name": text(), "pid": count,
                        "event": { "type": "string", "enum": [
                            "started", "stopping", "exited", "restarting", "scheduled", "stopped", "crashed", "gave-up",
                            "ready", "healthy", "unhealthy", "rotated", "unknown"
                        ] },
                    },
                },
                "Error": object(json!({ "error": object(json!({ "kind": text(), "message": text() })) })),
            },
        },
        "paths": {
            "/health": path("How the machine is: every enabled service", vec![], health()),
            "/health/ready": path("Whether every enabled service is started and well", vec![], health()),
            "/health/live": path("That the server runs", vec![], vec![("200", "It runs", body("application/json", of("Live")))]),
            "/health/{name}": path("How an enabled service or a process is",
                vec![parameter("path", "name", text(), "the name of an enabled service, or the full name of a process")],
                { let content = body("application/json", of("HealthOfOne"));
                  vec![("200", "It is well", content.clone()), ("503", "It is not", content)] }),
            "/metrics": path("Measurements, for Prometheus", vec![], vec![("200", "The text format", body("text/plain", text()))]),
            "/api/processes": path("All processes, as `tsm list all -v --json` has them", vec![],
                vec![("200", "The processes", body("application/json", json!({ "type": "array", "items": of("Process") })))]),
            "/api/processes/{name}": path("One process, as `tsm info -v --json` has it", vec![name()],
                vec![("200", "The process", body("application/json", of("ProcessDetails")))]),
            "/api/logs/{name}": path("Lines of a log, as `tsm logs --json` has them; as events with `Accept: text/event-stream` or `follow`",
                vec![
                    name(),
                    parameter("query", "lines", json!({ "type": "integer", "maximum": 5000, "default": 100 }), "the last so many"),
                    parameter("query", "stream", json!({ "type": "string", "enum": ["stdout", "stderr"] }), "only this one"),
                    parameter("query", "since", text(), "only from then on: 10m, 2026-11-20T14:05:00Z"),
                    parameter("query", "until", text(), "only until then"),
                    parameter("query", "grep", text(), "only lines in which this regular expression is found"),
                    parameter("query", "follow", json!({ "type": "boolean" }), "go on with what comes"),
                    last(),
                ],
                vec![("200", "The lines", json!({
                    "application/json": { "schema": { "type": "array", "items": of("LogLine") } },
                    "text/event-stream": { "schema": of("LogLine") },
                }))]),
            "/api/events": path("What happens to processes, as it happens; an event called `lost` says that some are missing",
                vec![last()], vec![("200", "Events", body("text/event-stream", of("Event")))]),
            "/api/openapi.json": path("This description", vec![], vec![("200", "OpenAPI 3.1", body("application/json", json!({ "type": "object" })))]),
        },
    })
}

#[test]
fn the_description_is_made_from_the_schemas_of_the_commands() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/serve/assets/openapi.json");
    let real = format!("{}\n", serde_json::to_string_pretty(&description()).expect("JSON"));
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        std::fs::write(path, real).expect("written");
    } else {
        let written = std::fs::read_to_string(path).expect("it is there");
        assert!(written == real, "openapi.json is old; UPDATE=1 cargo test --test it the_description writes it anew");
    }
}

#[test]
fn answers_have_the_shapes_that_are_described() {
    let sandbox = super::enabled_service("api", "sleep 1000");
    sandbox.ok(&["tsm", "start", "api"]);
    sandbox.ok(&["tsm", "start", "--name", "bad", "--no-wait", "sh", "-c", "echo boom >&2; exit 3"]);
    let server = serving(&sandbox);
    let port = server.port;
    eventually("it crashed", || get(port, "/api/processes").body.contains("\"crashed\""));
    let described = json_of(port, "/api/openapi.json");
    let fits = |value: &Value, name: &str| {
        let found = misfits(value, &described["components"]["schemas"][name]);
        assert_eq!(found, Vec::<String>::new(), "{name}: {value}");
    };
    fits(&json_of(port, "/health"), "Health");
    fits(&json_of(port, "/health/ready"), "Health");
    fits(&json_of(port, "/health/live"), "Live");
    fits(&json_of(port, "/health/api"), "HealthOfOne");
    fits(&json_of(port, "/health/bad"), "HealthOfOne");
    let all = json_of(port, "/api/processes");
    let all = all.as_array().expect("a list");
    assert_eq!(all.len(), 2);
    for process in all {
        fits(process, "Process");
        fits(
            &json_of(port, &format!("/api/processes/{}", process["name"].as_str().expect("a name"))),
            "ProcessDetails",
        );
    }
    let lines = json_of(port, "/api/logs/bad?stream=stderr");
    assert_eq!(lines[0]["line"], "boom");
    fits(&lines[0], "LogLine");
    for (path, status) in [
        ("/api/processes/nope", 404),
        ("/api/logs/nope", 404),
        ("/api/logs/..%2f..%2fetc", 404),
        ("/api/logs/bad?lines=many", 400),
        ("/api/logs/bad?grep=(", 400),
        ("/api", 404),
    ] {
        let Answer { status: found, body, .. } = get(port, path);
        assert_eq!(found, status, "{path}");
        fits(&serde_json::from_str(&body).expect("JSON"), "Error");
    }
}

#[test]
fn no_answer_has_a_secret() {
    let sandbox = Sandbox::new();
    sandbox.ok(&[
        "tsm",
        "start",
        "--name",
        "api",
        "--env",
        "API_KEY=hunter2hunter2 DATABASE_URL=postgres://u:hunter2hunter2@db/x",
        "sleep",
        "1000",
    ]);
    let server = serving(&sandbox);
    for path in ["/api/processes", "/api/processes/api", "/metrics", "/health", "/api/logs/api"] {
        let Answer { status, body, .. } = get(server.port, path);
        assert_eq!(status, 200, "{path}");
        assert!(!body.contains("hunter2"), "{path}: {body}");
    }
    assert!(get(server.port, "/api/processes/api").body.contains("API_KEY"), "its name is not secret");
}

#[test]
fn prometheus_accepts_the_metrics() {
    let sandbox = super::enabled_service("api", "sleep 1000");
    sandbox.ok(&["tsm", "start", "api"]);
    let server = serving(&sandbox);
    sandbox.ok(&["tsm", "start", "--name", "bad", "--no-wait", "sh", "-c", "echo boom >&2; exit 3"]);
    eventually("its end is counted", || {
        let text = get(server.port, "/metrics").body;
        text.contains("tetra_process_exits_total{name=\"bad\",reason=\"failure\"} 1") && text.contains("\"crashed\"")
    });
    let text = get(server.port, "/metrics").body;
    for expected in [
        "tetra_service_up{service=\"api\"} 1",
        "tetra_process_up{name=\"bad\"} 0",
        "tetra_process_state{name=\"bad\",state=\"crashed\"} 1",
        "tetra_process_log_bytes_total{name=\"bad\",stream=\"stderr\"} 5",
        "tetra_process_tree_processes{name=\"api\"} 1",
        "tetra_process_restarts_total{name=\"api\"} 0",
    ] {
        assert!(text.lines().any(|line| line == expected), "{expected} is not in {text}");
    }
    if !super::is_installed("promtool", "prometheus") {
        return;
    }
    let mut check = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    check.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it reads");
    let output = check.wait_with_output().expect("it ends");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
}

#[test]
fn rules_and_dashboard_are_about_metrics_that_there_are() {
    let server = Serving::alone();
    let text = get(server.port, "/metrics").body;
    let known: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/monitoring");
    for file in ["prometheus-alerts.yml", "grafana-dashboard.json"] {
        let text = std::fs::read_to_string(templates.join(file)).expect("it is there");
        let words =
            text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| word.starts_with("tetra_"));
        let unknown: Vec<&str> = words.filter(|word| !known.contains(word)).collect();
        assert_eq!(unknown, Vec::<&str>::new(), "{file}");
    }
    let board = std::fs::read(templates.join("grafana-dashboard.json")).expect("it is there");
    assert!(serde_json::from_slice::<Value>(&board).expect("JSON")["panels"].as_array().is_some_and(|it| it.len() > 5));
    if super::is_installed("promtool", "prometheus") {
        let rules = templates.join("prometheus-alerts.yml");
        let output = Command::new("promtool").args(["check", "rules"]).arg(rules).output().expect("it runs");
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
fn events_come_as_they_happen_and_none_is_lost_in_between() {
    let sandbox = Sandbox::new();
    let server = serving(&sandbox);
    let mut follower = Follower::of(server.port, "/api/events", None);
    sandbox.ok(&["tsm", "start", "--name", "one", "--no-wait", "sh", "-c", "exit 3"]);
    let mut seen = Vec::new();
    let last = loop {
        let (id, data) = follower.next().expect("an event");
        seen.push(data["event"].as_str().expect("a word").to_owned());
        if data["event"] == "crashed" {
            break id.expect("an id");
        }
    };
    assert_eq!(seen, ["started", "exited", "crashed"]);
    drop(follower);
    sandbox.ok(&["tsm", "start", "--name", "two", "--no-wait", "sleep", "1000"]);
    let mut again = Follower::of(server.port, "/api/events", Some(&last));
    let (_, data) = again.next().expect("an event");
    assert_eq!((&data["event"], &data["name"]), (&"started".into(), &"two".into()));
    let mut stranger = Follower::of(server.port, "/api/events", Some("1-1"));
    assert_eq!(stranger.next().expect("that some are missing").1, json!({}));
    assert_eq!(server.end(nix::sys::signal::Signal::SIGTERM), Some(0));
    while again.next().is_some() {}
}

#[test]
fn a_log_goes_on_where_the_connection_broke_also_after_a_rotation() {
    let sandbox = Sandbox::new();
    let line = "i=0; while read -r _; do i=$((i + 1)); echo \"line $i\"; echo \"error $i\" >&2; done < go";
    let fifo = sandbox.path("go");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("made");
    sandbox.ok(&["tsm", "start", "--name", "api", "--no-wait", "sh", "-c", line]);
    let mut go = std::fs::OpenOptions::new().write(true).open(&fifo).expect("it is read");
    let mut speak = |count: usize| go.write_all("\n".repeat(count).as_bytes()).expect("it reads");
    let server = serving(&sandbox);
    let path = "/api/logs/api?stream=stdout&lines=2";
    speak(3);
    eventually("it spoke", || get(server.port, "/api/logs/api").body.contains("error 3"));
    let mut first = Follower::of(server.port, path, None);
    assert_eq!([first.line(), first.line()].map(|(_, line)| line), ["line 2", "line 3"], "what was asked for");
    speak(1);
    let (id, text) = first.line();
    assert_eq!(text, "line 4");
    drop(first);
    speak(2);
    eventually("it spoke", || get(server.port, "/api/logs/api").body.contains("error 6"));
    sandbox.ok(&["tsm", "logs", "rotate", "api"]);
    speak(2);
    let mut again = Follower::of(server.port, path, id.as_deref());
    let lines: Vec<String> = (0..4).map(|_| again.line().1).collect();
    assert_eq!(lines, ["line 5", "line 6", "line 7", "line 8"]);
    // Many follow one log, each from its own place.
    let mut others: Vec<Follower> = (0..20).map(|_| Follower::of(server.port, path, id.as_deref())).collect();
    speak(1);
    for other in &mut others {
        let lines: Vec<String> = (0..5).map(|_| other.line().1).collect();
        assert_eq!(lines, ["line 5", "line 6", "line 7", "line 8", "line 9"]);
    }
    assert_eq!(again.line().1, "line 9");
    let mut errors = Follower::of(server.port, "/api/logs/api?stream=stderr&lines=0&grep=11", None);
    speak(2);
    assert_eq!(errors.line().1, "error 11", "only what is asked for");
}
