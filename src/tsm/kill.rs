//! Killing: processes with their directories, and also pids and ports that are not managed.
//!
//! A polite signal, two seconds, then force. This program, its ancestors (among them supervisors), the first process and the
//! supervisors of other processes are never ended.

use std::io;
use std::time::{Duration, Instant};

use super::control::{Control, ControlError, StopResult};
use super::resolve::{self, Precision, ResolveError};
use super::store::Process;
use super::unrecorded;
use crate::base::fault::{FaultKind, UserFacingError};
use crate::supervise::client::ControlCommand;
use crate::supervise::process_scan::ProcessScan;
use crate::sys::net;
use crate::sys::paths::Paths;
use crate::sys::pidfd::{KillSignal, PidFd};
use crate::sys::process;

/// What is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KillTarget {
    /// A word: a name or a part of it; a number is an id, then a pid, then a port, first of managed processes, then of others.
    Word(String),
    /// An id.
    Id(u32),
    /// A name, or the beginning of one.
    Name(String),
    /// A pid, managed or not.
    Pid(u32),
    /// The process that listens on a port; without one the process that the port belongs to.
    Port(u16),
}

/// Who will be ended.
#[derive(Debug, Clone)]
pub enum KillMatch {
    /// A managed process.
    Managed(Box<Process>),
    /// A process that is not managed.
    Unmanaged {
        /// Its pid.
        pid: u32,
        /// When it was started, so that no other is hit.
        start_ticks: u64,
        /// What it was started with.
        command: String,
    },
}

/// Why something was not killed.
#[derive(Debug, thiserror::Error)]
pub enum KillError {
    /// A word matches nothing.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// An order had no success.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// No process listens there or has that port.
    #[error("no process listens on port {port}")]
    NoListener {
        /// The port.
        port: u16,
    },
    /// A process listens, but which one is not visible.
    #[error("port {port} is used by a process of user {user} that is not visible to you")]
    HiddenListener {
        /// The port.
        port: u16,
        /// Who made the socket.
        user: String,
    },
    /// It must not be ended.
    #[error("pid {pid} was not killed: it is {what}")]
    Protected {
        /// The pid.
        pid: u32,
        /// What it is, in words.
        what: String,
    },
    /// The kernel refuses.
    #[error("failed to kill pid {pid} of user {user}")]
    Refused {
        /// The pid.
        pid: u32,
        /// Its user.
        user: String,
        /// Why.
        source: io::Error,
    },
    /// It lives on.
    #[error("pid {pid} is still running after SIGKILL")]
    Survived {
        /// The pid.
        pid: u32,
    },
}

impl UserFacingError for KillError {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Resolve(error) => error.kind(),
            Self::Control(error) => error.kind(),
            Self::NoListener { .. } => FaultKind::NotFound,
            Self::Protected { .. } => FaultKind::Refused,
            Self::HiddenListener { .. } | Self::Refused { .. } | Self::Survived { .. } => FaultKind::Failed,
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::Resolve(error) => error.advice(),
            Self::Control(error) => error.advice(),
            Self::HiddenListener { user, .. } | Self::Refused { user, .. } => {
                Some(format!("run the command as root or as {user}"))
            }
            Self::Protected { .. } => {
                Some("use `tsm kill NAME` to kill a process together with its supervisor".to_owned())
            }
            Self::NoListener { .. } | Self::Survived { .. } => None,
        }
    }
}

/// How long the polite signal may take.
const TERM_TIMEOUT: Duration = Duration::from_secs(2);

/// How long the forced end may take.
const KILL_TIMEOUT: Duration = Duration::from_secs(5);

/// Finds who is meant, and refuses who must not be ended.
///
/// # Errors
///
/// Fails if nothing is meant, or several processes, or a protected one.
pub fn find(target: &KillTarget, among: &[Process], precision: Precision) -> Result<Vec<KillMatch>, KillError> {
    let managed = |process: &Process| vec![KillMatch::Managed(Box::new(process.clone()))];
    let victims = match target {
        KillTarget::Id(id) => {
            let found = among.iter().find(|process| process.id() == Some(*id));
            managed(found.ok_or_else(|| ResolveError::NotFound { given: id.to_string(), nearest: None })?)
        }
        KillTarget::Name(name) => managed(resolve::resolve_as(name, among, precision)?),
        KillTarget::Word(word) if matches!(word.as_str(), "*" | "all") => among.iter().flat_map(managed).collect(),
        // A number is always a whole one: it may well be a pid or a port.
        KillTarget::Word(word) if word.parse::<u32>().is_err() => managed(resolve::resolve_as(word, among, precision)?),
        KillTarget::Word(word) => match (resolve::resolve_one(word, among), word.parse::<u32>()) {
            (Ok(process), _) => managed(process),
            (Err(ResolveError::NotFound { .. }), Ok(number)) => by_number(number, among)?,
            (Err(error), _) => return Err(error.into()),
        },
        KillTarget::Pid(pid) => match among.iter().find(|process| process.pid() == Some(*pid)) {
            Some(process) => managed(process),
            None => vec![unmanaged(*pid).ok_or_else(|| not_found(*pid))?],
        },
        KillTarget::Port(port) => match by_port(*port, among)? {
            victims if victims.is_empty() => {
                let owner = among.iter().find(|process| process.meta.port == Some(*port));
                managed(owner.ok_or(KillError::NoListener { port: *port })?)
            }
            victims => victims,
        },
    };
    victims.iter().try_for_each(|victim| check_protected(victim, among))?;
    Ok(victims)
}

/// The pids of a name whose directory was removed while it ran. Empty if there is such a directory, or never was.
#[must_use]
pub fn find_unrecorded(target: &KillTarget, paths: &Paths) -> Vec<KillMatch> {
    let (KillTarget::Word(name) | KillTarget::Name(name)) = target else { return Vec::new() };
    unrecorded::find(name, paths).into_iter().filter_map(unmanaged).collect()
}

fn not_found(number: u32) -> KillError {
    ResolveError::NotFound { given: number.to_string(), nearest: None }.into()
}

/// A number that means no managed process: a pid, then a port.
fn by_number(number: u32, among: &[Process]) -> Result<Vec<KillMatch>, KillError> {
    if let Some(victim) = unmanaged(number) {
        return Ok(vec![victim]);
    }
    let port = u16::try_from(number).map_err(|_| not_found(number))?;
    match by_port(port, among)? {
        victims if victims.is_empty() => Err(not_found(number)),
        victims => Ok(victims),
    }
}

fn unmanaged(pid: u32) -> Option<KillMatch> {
    let stat = process::stat(pid).filter(process::ProcessStat::is_alive)?;
    let command = process::command_line(pid).unwrap_or_default();
    Some(KillMatch::Unmanaged { pid, start_ticks: stat.start_ticks, command })
}

/// Everybody who listens on a port; a managed process for what belongs to its tree.
fn by_port(port: u16, among: &[Process]) -> Result<Vec<KillMatch>, KillError> {
    let mut victims: Vec<KillMatch> = Vec::new();
    for listener in net::listening_on(port) {
        let owner = net::owner(listener.inode)
            .ok_or_else(|| KillError::HiddenListener { port, user: net::user_name(listener.uid) })?;
        let line = process::ancestors(owner.pid);
        let manager = among.iter().find(|process| process.pid().is_some_and(|pid| line.contains(&pid)));
        let victim = match manager {
            Some(process) => Some(KillMatch::Managed(Box::new(process.clone()))),
            None => unmanaged(owner.pid),
        };
        victims.extend(victim.filter(|victim| !victim.is_among(&victims)));
    }
    Ok(victims)
}

/// Refuses who must not be ended.
fn check_protected(victim: &KillMatch, among: &[Process]) -> Result<(), KillError> {
    let Some(pid) = victim.pid() else { return Ok(()) };
    let what = if pid == 1 {
        Some("the init process".to_owned())
    } else if pid == process::own_pid() {
        Some("this program".to_owned())
    } else if process::ancestors(process::own_pid()).contains(&pid) {
        Some("an ancestor of this program".to_owned())
    } else {
        let supervises =
            |process: &&Process| [process.meta.run_state.guard_pid, process.meta.run_state.worker_pid].contains(&pid);
        let supervised = among.iter().filter(|process| process.live.supervised).find(supervises);
        supervised.map(|process| format!("the supervisor of `{}`", process.name))
    };
    what.map_or(Ok(()), |what| Err(KillError::Protected { pid, what }))
}

impl KillMatch {
    /// True if the same victim is among `others`.
    #[must_use]
    pub fn is_among(&self, others: &[Self]) -> bool {
        others.iter().any(|other| match (self, other) {
            (Self::Managed(one), Self::Managed(two)) => one.name == two.name,
            (Self::Unmanaged { pid: one, .. }, Self::Unmanaged { pid: two, .. }) => one == two,
            (Self::Managed(_), Self::Unmanaged { .. }) | (Self::Unmanaged { .. }, Self::Managed(_)) => false,
        })
    }

    /// The pid that will be ended, if there is one.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        match self {
            Self::Managed(process) => process.pid(),
            Self::Unmanaged { pid, .. } => Some(*pid),
        }
    }
}

impl Control<'_> {
    /// Ends victims, all at the same time, and removes the directories of managed ones. The answers are in their order.
    pub fn kill(&self, victims: &[KillMatch], push: KillSignal) -> Vec<Result<StopResult, KillError>> {
        let order = match push {
            KillSignal::Term => ControlCommand::Stop,
            KillSignal::Kill => ControlCommand::Kill,
        };
        let traces = ProcessScan::default();
        let begun: Vec<_> = victims.iter().map(|victim| self.begin(victim, order, push, &traces)).collect();
        let deadline = Instant::now() + TERM_TIMEOUT;
        let ends = victims.iter().zip(begun);
        ends.map(|(victim, begun)| begun.and_then(|handle| self.finish(victim, handle, deadline))).collect()
    }

    /// Gives the order, or sends the signal where no supervisor runs.
    fn begin(
        &self,
        victim: &KillMatch,
        order: ControlCommand,
        push: KillSignal,
        traces: &ProcessScan,
    ) -> Result<Option<DirectKill>, KillError> {
        let direct = match victim {
            KillMatch::Unmanaged { pid, start_ticks, .. } => DirectKill::open(*pid, *start_ticks)?,
            KillMatch::Managed(process) => {
                self.send_stop(process, order, traces)?;
                return Ok(None);
            }
        };
        direct.map(|direct| direct.push(push).map(|()| direct)).transpose()
    }

    fn finish(
        &self,
        victim: &KillMatch,
        direct: Option<DirectKill>,
        deadline: Instant,
    ) -> Result<StopResult, KillError> {
        let timeout = deadline.saturating_duration_since(Instant::now());
        match (victim, direct) {
            (KillMatch::Unmanaged { .. }, None) => Ok(ended(victim, false)),
            (KillMatch::Unmanaged { .. }, Some(direct)) => direct.finish(timeout).map(|forced| ended(victim, forced)),
            (KillMatch::Managed(process), _) => self.finish_managed(process, timeout),
        }
    }

    fn finish_managed(&self, process: &Process, timeout: Duration) -> Result<StopResult, KillError> {
        let mut now = process.clone();
        now.refresh();
        if !now.live.supervised && !now.is_running() && !now.meta.state.is_final() {
            // Its record may be wrong forever: no supervisor corrects it.
            self.remove(process)?;
            return Ok(StopResult::Stopped { pid: process.meta.pid, forced: false, survivors: Vec::new() });
        }
        if let Err(ControlError::NotEnded { .. }) = self.wait_for_last(process, timeout, |meta| meta.state.is_final()) {
            self.send_order(process, ControlCommand::Kill)?;
        }
        if let Err(ControlError::NotEnded { .. }) =
            self.wait_for_last(process, KILL_TIMEOUT, |meta| meta.state.is_final())
        {
            // Its supervisor does not follow the command.
            let open = |pid| DirectKill::open(pid, process.meta.run_state.start_ticks);
            let direct = process.pid().map(open).transpose()?.flatten();
            direct.map_or(Ok(()), |direct| direct.push(KillSignal::Kill))?;
        }
        let ended = self.wait_for_end(process).map_err(ControlError::before_removal)?;
        self.remove(process)?;
        Ok(ended)
    }
}

fn ended(victim: &KillMatch, forced: bool) -> StopResult {
    StopResult::Stopped { pid: victim.pid().unwrap_or(0), forced, survivors: Vec::new() }
}

fn refused(pid: u32, source: io::Error) -> KillError {
    KillError::Refused { pid, user: process::owner(pid).map(net::user_name).unwrap_or_default(), source }
}

/// A process that is ended by signals, not by its supervisor.
struct DirectKill {
    pid: u32,
    handle: PidFd,
}

impl DirectKill {
    /// None if it is gone already. The handle comes before the look, so that it cannot be on another process. One that cannot be
    /// looked at, for lack of descriptors for example, is not gone.
    fn open(pid: u32, start_ticks: u64) -> Result<Option<Self>, KillError> {
        let Some(handle) = PidFd::find(pid).map_err(|source| refused(pid, source))? else { return Ok(None) };
        let is_same = process::try_is_same(pid, start_ticks)
            .ok_or_else(|| refused(pid, io::Error::other("it cannot be looked at")))?;
        Ok(is_same.then_some(Self { pid, handle }))
    }

    fn push(&self, push: KillSignal) -> Result<(), KillError> {
        self.handle.send(push).map_err(|source| refused(self.pid, source))
    }

    /// Waits, and forces it if it does not end; true if that was needed.
    fn finish(&self, timeout: Duration) -> Result<bool, KillError> {
        if self.handle.wait(timeout) {
            return Ok(false);
        }
        self.push(KillSignal::Kill)?;
        if self.handle.wait(KILL_TIMEOUT) { Ok(true) } else { Err(KillError::Survived { pid: self.pid }) }
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;
    use crate::supervise::meta::StopCause;
    use crate::sys::paths::Paths;

    fn control() -> Control<'static> {
        let nowhere = std::path::Path::new("/nonexistent");
        Control {
            paths: Box::leak(Box::new(Paths::under(nowhere))),
            program: nowhere,
            interrupted: &|| false,
            cause: StopCause::Operator,
        }
    }

    fn spawn(script: &str) -> Child {
        let mut child = Command::new("bash").args(["-c", script]).stdout(Stdio::piped()).spawn().expect("bash runs");
        let mut word = [0; 3];
        io::Read::read_exact(child.stdout.as_mut().expect("piped"), &mut word).expect("it says when it is ready");
        child
    }

    #[test]
    fn a_stranger_is_asked_first_and_forced_after_two_seconds() {
        let mut polite = spawn("trap 'exit 7' TERM; echo up; while :; do sleep 0.01; done");
        let mut deaf = spawn("trap '' TERM; echo up; while :; do sleep 0.01; done");
        let victims: Vec<_> = [&polite, &deaf].iter().map(|it| unmanaged(it.id()).expect("it lives")).collect();
        // A process that has ended is a zombie until it is reaped, and counts as ended.
        let answers = control().kill(&victims, KillSignal::Term);
        let forced =
            |answer: &Result<StopResult, KillError>| matches!(answer, Ok(StopResult::Stopped { forced: true, .. }));
        assert_eq!(answers.iter().map(forced).collect::<Vec<_>>(), [false, true], "{answers:?} {:?}", deaf.try_wait());
        assert_eq!(polite.wait().expect("collected").code(), Some(7));
        assert_eq!(deaf.wait().expect("collected").code(), None);
    }

    #[test]
    fn force_does_not_ask() {
        let mut child = spawn("trap 'exit 7' TERM; echo up; while :; do sleep 0.01; done");
        let victims = find(&KillTarget::Pid(child.id()), &[], Precision::Exact).expect("it lives");
        assert!(control().kill(&victims, KillSignal::Kill)[0].is_ok());
        assert_eq!(child.wait().expect("collected").code(), None);
    }

    #[test]
    fn the_first_process_this_one_and_its_ancestors_are_spared() {
        for pid in process::ancestors(process::own_pid()) {
            let error = find(&KillTarget::Pid(pid), &[], Precision::Exact).expect_err("protected");
            assert!(matches!(error, KillError::Protected { .. }), "{pid}: {error}");
            assert_eq!(error.kind(), FaultKind::Refused);
        }
    }

    #[test]
    fn an_unused_pid_is_not_found() {
        let error =
            find(&KillTarget::Word("4194304".into()), &[], Precision::Exact).expect_err("above every pid and port");
        assert!(error.to_string().contains("not found") && error.kind() == FaultKind::NotFound, "{error}");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        assert!(matches!(find(&KillTarget::Port(port), &[], Precision::Exact), Err(KillError::NoListener { .. })));
    }

    #[test]
    fn a_recycled_pid_is_not_a_victim() {
        let mut child = spawn("echo up; exec sleep 600");
        let Some(KillMatch::Unmanaged { pid, start_ticks, command }) = unmanaged(child.id()) else {
            panic!("it lives")
        };
        let other = KillMatch::Unmanaged { pid, start_ticks: start_ticks + 1, command };
        assert!(control().kill(&[other], KillSignal::Kill)[0].is_ok(), "whom it meant is gone");
        assert!(child.try_wait().expect("asked").is_none(), "and the one with its pid lives");
        child.kill().and_then(|()| child.wait()).expect("collected");
    }
}
