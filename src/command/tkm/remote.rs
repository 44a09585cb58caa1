//! What the commands about files of keys on hosts have in common.

use std::path::PathBuf;

use super::context::{find, on_each};
use super::test::chosen;
use crate::base::environment::EnvRef;
use crate::base::fault::Fault;
use crate::command::Cx;
use crate::command::stated_default::{CHOSEN_HOSTS, StatedDefault};
use crate::report::{Cell, Report, Table, Tone, Value};
use crate::tkm::access;
use crate::tkm::error::TkmError;
use crate::tkm::examine::{FoundLine, LineState};
use crate::tkm::host::{Host, HostName};
use crate::tkm::login::Login;
use crate::tkm::ssh::Connection;
use crate::tkm::state::StoreState;
use crate::tkm::store::Store;
use crate::tkm::sync::RemoteLook;

/// What is said instead of an empty table if a host was not reached.
const NOT_ALL: &str = "not every host was looked at";

/// The hosts that are looked at, and how they are entered.
#[derive(Debug, clap::Args)]
pub(super) struct RemoteHosts {
    /// The hosts
    #[arg(if_not_given = CHOSEN_HOSTS)]
    pub(super) hosts: Vec<HostName>,
    /// A private key that the hosts accept, if none of the store is let in
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
}

/// What was found on hosts.
pub(super) struct Survey {
    pub(super) store: Store,
    pub(super) state: StoreState,
    pub(super) hosts: Vec<Host>,
    pub(super) looks: Vec<Result<RemoteLook, TkmError>>,
}

impl RemoteHosts {
    /// Looks at the hosts; none before the store is initialised.
    pub(super) fn survey(&self, cx: &mut Cx) -> Result<Option<Survey>, Fault> {
        let Some(store) = find(cx)? else { return Ok(None) };
        let variables = cx.host.variables();
        let given = match &self.identity {
            Some(path) => access::login_with(&cx.host.cwd().join(path), variables)?,
            None => Login::Operator,
        };
        let (state, hosts) = (store.state()?, chosen(&store, &self.hosts, cx.selection.env.as_ref())?);
        let looks = on_each(cx, &hosts, |host, say| {
            say("reading authorized_keys");
            let look = Connection::open(&store, host, variables).and_then(|it| RemoteLook::take(&it, &state, &given));
            say(if look.is_ok() { "read" } else { "failed" });
            look
        });
        Ok(Some(Survey { store, state, hosts, looks }))
    }
}

impl Survey {
    /// The environments of the hosts, for the guard.
    pub(super) fn environments(&self, cx: &Cx) -> Vec<EnvRef> {
        self.hosts.iter().map(|host| cx.selection.qualify(host.env.clone())).collect()
    }

    /// A row for each line that is `wanted`, and a fault for each host that was not looked at.
    pub(super) fn table(self, wanted: impl Fn(&FoundLine) -> bool, otherwise: &str) -> Report {
        let mut report = Report::default();
        let mut table = Table::new(&[
            ("host", "HOST"),
            ("line", "LINE"),
            ("state", "STATE"),
            ("env", "ENV"),
            ("fingerprint", "KEY"),
            ("comment", "COMMENT"),
            ("options", "OPTIONS"),
        ])
        .when_empty(if self.looks.iter().all(Result::is_ok) { otherwise } else { NOT_ALL });
        for (host, look) in self.hosts.iter().zip(self.looks) {
            match look {
                Ok(look) => {
                    for line in look.found.lines.iter().filter(|line| wanted(line)) {
                        table.row(cells(host, line));
                    }
                }
                Err(error) => report.faults.push(error.into()),
            }
        }
        report.and(table)
    }

    /// The lines that would go and come on each host.
    pub(super) fn changes(&self) -> Table {
        let columns = [("host", "HOST"), ("change", "CHANGE"), ("line", "LINE")];
        let is_whole = self.looks.iter().all(Result::is_ok);
        let otherwise = if is_whole { "the lines of tetra are as they should be" } else { NOT_ALL };
        let mut table = Table::new(&columns).when_empty(otherwise);
        for (host, look) in self.hosts.iter().zip(&self.looks) {
            let Ok(look) = look else { continue };
            let (gone, new) = look.changes();
            let marked = |lines: Vec<String>, word, tone| lines.into_iter().map(move |line| (line, word, tone));
            for (line, word, tone) in marked(gone, "remove", Tone::Bad).chain(marked(new, "add", Tone::Good)) {
                table.row(vec![host.name.as_str().into(), Cell::from(word).tone(tone), line.into()]);
            }
        }
        table
    }
}

fn cells(host: &Host, line: &FoundLine) -> Vec<Cell> {
    let tone = match line.state {
        LineState::Right => Tone::Good,
        LineState::Foreign => Tone::Dim,
        LineState::Outside | LineState::Unreadable | LineState::Unrecorded => Tone::Warn,
        LineState::WrongOptions | LineState::Missing | LineState::Stray => Tone::Bad,
    };
    let text = |text: &str| Value::from((!text.is_empty()).then_some(text));
    vec![
        host.name.as_str().into(),
        Value::from(line.number).into(),
        Cell::from(line.state.word()).tone(tone),
        Value::from(line.env.as_deref()).into(),
        Value::from(line.key.as_ref().map(|key| key.fingerprint.as_str())).into(),
        Value::from(line.key.as_ref().map(|key| key.comment.as_str()).filter(|it| !it.is_empty())).into(),
        text(&line.options).into(),
    ]
}
