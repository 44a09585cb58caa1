//! `serve`

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;

use crate::base::fault::{Fault, FaultKind};
use crate::command::shell::version::VERSION;
use crate::command::stated_default::StatedDefault;
use crate::command::tsm::info::{Detail, process_fields};
use crate::command::tsm::list::process_table;
use crate::command::tsm::logs::json_lines;
use crate::command::{Command, Cx, Effect};
use crate::report::{Arrival, Report, RowStream};
use crate::serve::{AccessRule, DEFAULT_PORT, LogOptions, Server, ServerIdentity, ServerOptions, Views};
use crate::sys::{file, listen_socket, signal};
use crate::tsm::conflict;

/// Serve health, metrics and the state of processes over HTTP
///
/// Read only, until Ctrl-C or SIGTERM: /health (503 with reasons when an enabled service is down), /health/live, /health/ready and
/// /health/NAME; /metrics for Prometheus; /api/processes, /api/processes/NAME, /api/logs/NAME and /api/events, which
/// /api/openapi.json describes; and a page for people at /. Listens on this machine only; any other address needs a token, which each request has to show
/// (`Authorization: Bearer TOKEN`). Lines about itself go to stdout, as
/// LOG_LEVEL (error, warn, info, debug) and LOG_FORMAT (pretty, json) say; TETRA_RELEASE is what /health calls the release.
#[derive(Debug, clap::Args)]
pub struct Serve {
    /// The port
    #[arg(long, value_name = "P", if_not_given = format_args!("$PORT, else $TSM_PORT, else {DEFAULT_PORT}"))]
    port: Option<u16>,
    /// The address
    #[arg(long, value_name = "ADDR", if_not_given = DEFAULT_ADDRESS)]
    bind: Option<IpAddr>,
    /// Answer only requests that show the token in this file; the file must be private (mode 0600)
    #[arg(long, value_name = "F")]
    token_file: Option<PathBuf>,
    /// Take the socket that systemd hands over (a .socket unit) instead of making one
    #[arg(long, conflicts_with_all = ["port", "bind"])]
    socket: bool,
}

/// Only this machine reaches it.
const DEFAULT_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The shortest token, in bytes: shorter ones are guessed.
const MIN_TOKEN: usize = 16;

impl Command for Serve {
    const NAME: &'static str = "serve";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &[
        "serve",
        "serve --env dev --port 4445",
        "serve --bind 0.0.0.0 --token-file /etc/tetra/token",
        "serve --socket",
    ];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let access = AccessRule { token: self.token(cx)? };
        let socket = self.listen(cx)?;
        let address = socket.local_addr().map_err(|error| failed("read the address of the socket", &error))?;
        if access.token.is_none() && !address.ip().is_loopback() {
            return Err(Fault::new(
                FaultKind::Refused,
                format!("other machines can reach {address}: a token is required"),
            )
            .with_advice("--token-file FILE, with a private file that holds the token"));
        }
        let (log, warnings) = LogOptions::from_variables(cx.host.variables());
        let release = cx.host.variable("TETRA_RELEASE").unwrap_or(VERSION).to_owned();
        let identity = ServerIdentity {
            version: VERSION,
            release,
            org: cx.selection.org.as_ref().map(ToString::to_string),
            env: cx.selection.env.as_ref().map(ToString::to_string),
        };
        let views = Views {
            list: process_table,
            info: |process, now, usage| process_fields(process, Some(usage), now, Detail::All),
            log_lines: json_lines,
        };
        let options = ServerOptions { socket, paths: cx.paths.clone(), views, access, identity, log, warnings };
        let server = Server::start(options).map_err(|error| failed("start the server", &error))?;
        Ok(Report::of(RowStream::of(StartLines(Some(server)))))
    }
}

impl Serve {
    fn token(&self, cx: &mut Cx) -> Result<Option<String>, Fault> {
        let Some(path) = &self.token_file else { return Ok(None) };
        let path = cx.host.cwd().join(path);
        let read = file::read_private(&path).map_err(|error| match error.is_not_found() {
            true => Fault::new(FaultKind::NotFound, format!("the token file `{}` does not exist", path.display())),
            false => error.into(),
        })?;
        if let Some(notice) = &read.notice {
            cx.console.note(notice);
        }
        let text = String::from_utf8_lossy(&read.bytes);
        let token = text.trim_end_matches(['\r', '\n']);
        if token.len() < MIN_TOKEN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            let expected = format!("expected one line of at least {MIN_TOKEN} printable characters without spaces");
            return Err(Fault::usage(format!("`{}` holds no token: {expected}", path.display()))
                .with_advice("`openssl rand -hex 32` makes one"));
        }
        Ok(Some(token.to_owned()))
    }

    fn listen(&self, cx: &Cx) -> Result<TcpListener, Fault> {
        if self.socket {
            return Ok(listen_socket::inherited(cx.host.variables())?);
        }
        let address = SocketAddr::new(self.bind.unwrap_or(DEFAULT_ADDRESS), self.port(cx)?);
        listen_socket::bind(address).map_err(|error| {
            let holder = conflict::listening(address.port(), &cx.operation().processes().unwrap_or_default());
            match holder.filter(|_| error.kind() == std::io::ErrorKind::AddrInUse) {
                Some(holder) => Fault::new(FaultKind::Refused, holder.line())
                    .with_advice(format!("{}, or choose another port: --port", holder.suggestion())),
                None => failed(&format!("listen on {address}"), &error),
            }
        })
    }

    fn port(&self, cx: &Cx) -> Result<u16, Fault> {
        if let Some(port) = self.port {
            return Ok(port);
        }
        for name in ["PORT", "TSM_PORT"] {
            if let Some(value) = cx.host.variable(name) {
                return value.parse().map_err(|_| {
                    Fault::usage(format!("invalid value `{value}` for {name}: expected a port, 0 to 65535"))
                });
            }
        }
        Ok(DEFAULT_PORT)
    }
}

fn failed(action: &str, error: &std::io::Error) -> Fault {
    Fault::new(FaultKind::Failed, format!("failed to {action}: {error}"))
}

/// What the server says, until it has ended.
struct StartLines(Option<Server>);

impl Iterator for StartLines {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        if let Ok(line) = self.0.as_ref()?.lines.recv() {
            return Some(Ok(line.into()));
        }
        if !self.0.take()?.join() {
            return Some(Err(Fault::new(FaultKind::Internal, "the server ended unexpectedly")));
        }
        signal::set_graceful_exit();
        None
    }
}
