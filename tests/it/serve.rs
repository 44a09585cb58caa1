//! `tetra serve`: the real program, real sockets.

mod api;
mod browser;
mod client;
mod hostile;
mod page;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::ports::free_port;
use crate::sandbox::Sandbox;
use crate::waiting::eventually;
use crate::world::PROGRAM;
use client::{Answer, get, get_with};

/// A server that runs, ended at the end.
pub(crate) struct Serving {
    child: Child,
    pub(crate) port: u16,
    /// What it says first.
    pub(crate) first_line: String,
    _sandbox: Option<Sandbox>,
}

impl Serving {
    /// A server of a `$TETRA_DIR` of its own, in which nothing is.
    pub(crate) fn alone() -> Self {
        let sandbox = Sandbox::new();
        let port = free_port();
        let mut serving = Self::in_sandbox(&sandbox, port, &["--port", &port.to_string()], &[]);
        serving._sandbox = Some(sandbox);
        serving
    }

    /// A server with these options and variables, which listens on `port`.
    pub(crate) fn in_sandbox(sandbox: &Sandbox, port: u16, options: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = sandbox.command_under(&[], &[]);
        let program = command.get_program().to_owned();
        command = {
            let mut fresh = std::process::Command::new(program);
            fresh.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
            fresh.current_dir(sandbox.root()).stdin(Stdio::null());
            fresh
        };
        command.arg("serve").args(options).envs(variables.iter().copied()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("tetra runs");
        let mut first_line = String::new();
        let output = child.stdout.take().expect("a pipe");
        let mut output = BufReader::new(output);
        output.read_line(&mut first_line).expect("a line");
        // The rest is not read, which must not matter; a closed pipe would.
        std::mem::forget(output);
        Self { child, port, first_line, _sandbox: None }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal and waits for the end; the exit code.
    pub(crate) fn end(mut self, signal: Signal) -> Option<i32> {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a pid"));
        kill(pid, signal).expect("it runs");
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// False, after it was said, where a program is missing; a build machine has to have it.
fn is_installed(program: &str, package: &str) -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    let found = path.split(':').any(|dir| Path::new(dir).join(program).is_file());
    let message = format!("SKIPPED: {program} is missing (Debian package {package})");
    assert!(found || std::env::var_os("CI").is_none_or(|value| value != "true"), "{message}");
    if !found {
        let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{message}\n").as_bytes());
    }
    found
}

/// A sandbox in which commands have all their words, with a service of this line, saved, enabled and started.
fn enabled_service(name: &str, line: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let definition = format!("TSM_NAME=\"{name}\"\nTSM_COMMAND=\"{line}\"\nTSM_CWD=\"{}\"\n", sandbox.home().display());
    let dir = sandbox.home().join("tsm/services-available");
    std::fs::create_dir_all(&dir).expect("a directory");
    std::fs::write(dir.join(format!("{name}.tsm")), definition).expect("a definition");
    sandbox.ok(&["tsm", "enable", name]);
    sandbox
}

/// Starts a service whose command is `tetra …`.
fn started_service(sandbox: &Sandbox, name: &str) -> String {
    let programs = Path::new(PROGRAM).parent().expect("a directory").display();
    let path = format!("{programs}:{}", std::env::var("PATH").expect("a PATH"));
    let output = sandbox.command(&["tsm", "start", name]).env("PATH", path).output().expect("tetra runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn health_says_what_is_down_until_it_runs() {
    let sandbox = enabled_service("api", "sleep 1000");
    let port = free_port();
    let serving = Serving::in_sandbox(
        &sandbox,
        port,
        &["--port", &port.to_string(), "--env", "production"],
        &[("TETRA_RELEASE", "r42"), ("TETRA_ORG", "acme")],
    );
    assert!(serving.first_line.contains(&format!("listening on http://127.0.0.1:{port}")), "{}", serving.first_line);
    let Answer { status, body, .. } = get(port, "/health");
    let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((status, &body["status"], &body["reasons"][0]), (503, &"down".into(), &"api: not started".into()));
    assert_eq!((&body["release"], &body["env"]), (&"r42".into(), &"prod".into()), "{body}");
    assert_eq!(get(port, "/health/ready").status, 503);
    assert_eq!(get(port, "/health/api").status, 503);
    assert_eq!(get(port, "/health/live").status, 200, "the server itself is well");
    sandbox.ok(&["tsm", "start", "api"]);
    eventually("the service is up", || get(port, "/health").status == 200);
    assert_eq!((get(port, "/health/ready").status, get(port, "/health/api").status), (200, 200));
    let name = sandbox.json(&["tsm", "list"])[0]["name"].as_str().expect("a name").to_owned();
    assert_eq!(get(port, &format!("/health/{name}")).status, 200);
    sandbox.ok(&["tsm", "stop", "api"]);
    eventually("the service is down", || get(port, "/health").body.contains("api: stopped"));
    assert_eq!(get(port, "/health/nothing").status, 404);
}

#[test]
fn its_own_service_is_ready_by_its_port_and_counts_as_running() {
    let port = free_port();
    let sandbox = enabled_service("tetra", "tetra serve --env dev");
    let definition = sandbox.home().join("tsm/services-available/tetra.tsm");
    let text = std::fs::read_to_string(&definition).expect("a definition");
    // Its own check would find it unhealthy as long as that check fails.
    let check = format!("TSM_HEALTH_CHECK=\"http://localhost:{port}/health\"\n");
    std::fs::write(&definition, format!("{text}TSM_PORT=\"{port}\"\n{check}")).expect("a definition");
    let started = started_service(&sandbox, "tetra");
    assert!(started.contains(&format!("tetra-{port}")), "{started}");
    let Answer { status, body, .. } = get(port, "/health");
    assert_eq!(status, 200, "{body}");
    assert!(body.contains(r#""env":"dev""#) && body.contains(r#""up":1"#), "{body}");
    sandbox.ok(&["tsm", "stop", "tetra"]);
    let name: Vec<_> = sandbox.json(&["tsm", "list", "all"]).as_array().expect("a list").clone();
    assert_eq!(
        (&name[0]["state"], &name[0]["exit"]["code"]),
        (&"stopped".into(), &0.into()),
        "an orderly end: {name:?}"
    );
}

#[test]
fn the_port_is_that_of_the_option_then_of_the_variables() {
    let sandbox = Sandbox::new();
    let [one, two] = [free_port().to_string(), free_port().to_string()];
    let listens = |options: &[&str], variables: &[(&str, &str)]| {
        let serving = Serving::in_sandbox(&sandbox, 0, options, variables);
        serving.first_line.rsplit(':').next().expect("a port").trim().to_owned()
    };
    assert_eq!(listens(&["--port", &one], &[("PORT", &two)]), one);
    assert_eq!(listens(&[], &[("PORT", &two), ("TSM_PORT", &one)]), two);
    assert_eq!(listens(&[], &[("TSM_PORT", &one)]), one);
    let wrong = sandbox.command(&["serve"]).env("PORT", "http").output().expect("tetra runs");
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn it_ends_in_order_when_it_is_asked_to() {
    for (signal, code) in [(Signal::SIGTERM, 0), (Signal::SIGINT, 130)] {
        let serving = Serving::alone();
        let idle = client::connect(serving.port);
        assert_eq!(serving.end(signal), Some(code), "{signal}");
        drop(idle);
    }
}

#[test]
fn a_port_in_use_is_named_with_who_has_it() {
    let serving = Serving::alone();
    let sandbox = Sandbox::new();
    let refused = sandbox.run(&["serve", "--port", &serving.port.to_string()]);
    assert_eq!(refused.code, 4, "{}", refused.err);
    assert!(
        refused.err.contains(&format!("port {} is in use by PID {}", serving.port, serving.pid())),
        "{}",
        refused.err
    );
}

#[test]
fn other_machines_need_a_token_from_a_private_file() {
    let sandbox = Sandbox::new();
    let refused = sandbox.run(&["serve", "--bind", "0.0.0.0"]);
    assert_eq!((refused.code, refused.err.contains("a token is required")), (4, true), "{}", refused.err);
    let missing = sandbox.run(&["serve", "--token-file", "token"]);
    assert_eq!((missing.code, missing.err.contains("does not exist")), (5, true), "{}", missing.err);
    let file = sandbox.path("token");
    let token = "0123456789abcdef0123456789abcdef";
    let serve = |mode: u32, text: &str| {
        std::fs::write(&file, text).expect("written");
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(mode)).expect("set");
        let port = free_port().to_string();
        ["serve", "--bind", "127.0.0.1", "--token-file", "token", "--port", &port].map(str::to_owned)
    };
    let words = serve(0o600, "short\n");
    let short = sandbox.run(&words.each_ref().map(String::as_str));
    assert_eq!((short.code, short.err.contains("holds no token")), (2, true), "{}", short.err);
    // Others could put another file there.
    std::fs::set_permissions(sandbox.root(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("set");
    let words = serve(0o644, token);
    assert_eq!(sandbox.run(&words.each_ref().map(String::as_str)).code, 24);
    let words = serve(0o600, &format!("{token}\n"));
    let port: u16 = words[6].parse().expect("a port");
    let options: Vec<&str> = words[1..].iter().map(String::as_str).collect();
    let _serving = Serving::in_sandbox(&sandbox, port, &options, &[]);
    assert_eq!(get(port, "/health").status, 401);
    assert_eq!(get_with(port, "/health", &[("Authorization", &format!("Bearer {token}"))]).status, 200);
    assert_eq!(get_with(port, "/health", &[("Authorization", &format!("Bearer {token}x"))]).status, 401);
    assert_eq!(get(port, "/health/live").status, 200, "says nothing about the machine");
}

#[test]
fn a_socket_that_was_handed_over_is_used() {
    let sandbox = Sandbox::new();
    let port = free_port();
    // What systemd does: the socket is descriptor 3, and LISTEN_PID the process that gets it.
    let script = "import os, socket, sys\n\
                  s = socket.socket(); s.bind(('127.0.0.1', int(sys.argv[1]))); s.listen()\n\
                  os.dup2(s.fileno(), 3); os.set_inheritable(3, True)\n\
                  os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1')\n\
                  os.execv(sys.argv[2], [sys.argv[2], 'serve', '--socket'])\n";
    let child = sandbox
        .command_under(&["python3", "-c", script, &port.to_string()], &[])
        .stdout(Stdio::null())
        .spawn()
        .expect("python runs");
    let serving = Serving { child, port, first_line: String::new(), _sandbox: None };
    eventually("it answers", || client::try_get(serving.port, "/health").is_some_and(|answer| answer.status == 200));
    let none = sandbox.run(&["serve", "--socket"]);
    assert_eq!((none.code, none.err.contains("no socket was handed over")), (1, true), "{}", none.err);
}
