//! What may have ended a process: the signal or the exit code, the kernel, its own last words, its port, its directory.

use std::path::Path;

use super::{PossibleCause, StopRequester, is_failure};
use crate::base::size::Size;
use crate::supervise::limits::MemoryMethod;
use crate::supervise::meta::{ExitStatus, LastExit, OomVerdict};
use crate::sys::{kernel, process};
use crate::tsm::conflict::{self, Holder};
use crate::tsm::store::Process;

/// Everything that fits, likeliest first.
pub(super) fn find(process: &Process, asked: Option<&StopRequester>, last_lines: &[String]) -> Vec<PossibleCause> {
    let mut causes = Vec::new();
    let exit = process.meta.last_exit.as_ref();
    causes.extend(asked.map(|asked| cause(asked.sentence())));
    let failed = exit.is_none_or(|exit| is_failure(exit.status));
    if !process.meta.run_state.start_error.is_empty() {
        causes.push(cause(process.meta.run_state.start_error.clone()));
    }
    if failed && asked.is_none() {
        causes.extend(port(process));
        let meta = &process.meta;
        let limit = (meta.run_state.memory_method == MemoryMethod::Data).then_some(meta.run.limits.memory_max);
        causes.extend(words(limit, last_lines));
        let told = !causes.is_empty();
        // A plain exit code says nothing where something better was found.
        let exit = exit.filter(|exit| !(told && exit.oom.is_none() && matches!(exit.status, ExitStatus::Code(_))));
        causes.extend(exit.and_then(|exit| of_exit(process, exit)));
        causes.extend(system_context(process));
    }
    causes
}

fn cause(what: impl Into<String>) -> PossibleCause {
    PossibleCause { what: what.into(), advice: None }
}

impl PossibleCause {
    fn with_advice(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }
}

/// Somebody else listens on its port.
fn port(process: &Process) -> Option<PossibleCause> {
    let port = process.meta.port.filter(|_| !process.is_running())?;
    let found = conflict::listening(port, std::slice::from_ref(process))?;
    let own = matches!(&found.holder, Holder::Process { managed: Some(_), .. });
    (!own).then(|| cause(found.line()).with_advice(found.suggestion()))
}

/// Last words that tell the cause, in small letters, what they mean, and what to do.
const WORDS: [(&str, &str, &str); 15] = [
    ("eaddrinuse", "its port is in use", "`tsm doctor port N` shows by whom"),
    ("address already in use", "its port is in use", "`tsm doctor port N` shows by whom"),
    ("eacces", "it may not do something", "look at the user, the port (below 1024?) and the modes of its files"),
    (
        "permission denied",
        "it may not do something",
        "look at the user, the port (below 1024?) and the modes of its files",
    ),
    ("cannot find module", "a module is missing", "install the dependencies in its directory: npm install"),
    ("modulenotfounderror", "a module is missing", "install the dependencies, and look at its virtual environment"),
    ("no module named", "a module is missing", "install the dependencies, and look at its virtual environment"),
    ("javascript heap out of memory", HEAP_FULL, "give it more: --max-old-space-size"),
    ("memoryerror", OUT_OF_MEMORY, "look at `tsm stats` while it runs"),
    ("cannot allocate memory", NO_MEMORY, "look at `tsm stats`, and at limits: its own (`tsm info`), of the unit"),
    ("econnrefused", "somebody it needs does not answer", "start that first"),
    ("connection refused", "somebody it needs does not answer", "start that first"),
    ("no space left on device", "the disk is full", "make room"),
    ("too many open files", "it has too many files open", "raise --limit-nofile or TSM_LIMIT_NOFILE"),
    ("syntaxerror", "its program text has an error", "the lines above tell where"),
];

/// What its last words say, when each of its processes has this limit of memory.
fn words(limit: Option<u64>, last_lines: &[String]) -> Option<PossibleCause> {
    last_lines.iter().rev().find_map(|line| {
        let small = line.to_lowercase();
        let (_, what, advice) = WORDS.iter().find(|(word, ..)| small.contains(word))?;
        if let Some(limit) = limit.map(Size).filter(|_| MEMORY.contains(what)) {
            let what =
                format!("{what}, of which each of its processes may have {limit} (RLIMIT_DATA): `{}`", shown(line));
            return Some(
                cause(what).with_advice("raise --memory-max or TSM_MEMORY_MAX, or give the program less to do"),
            );
        }
        Some(cause(format!("{what}: `{}`", shown(line))).with_advice(*advice))
    })
}

/// What is said where memory was missing.
const MEMORY: [&str; 3] = [OUT_OF_MEMORY, NO_MEMORY, HEAP_FULL];
const OUT_OF_MEMORY: &str = "it ran out of memory";
const NO_MEMORY: &str = "no more memory was given to it";
const HEAP_FULL: &str = "its heap was full";

fn shown(line: &str) -> String {
    crate::base::redact::text(line.trim())
}

fn of_exit(process: &Process, exit: &LastExit) -> Option<PossibleCause> {
    match exit.status {
        ExitStatus::Signal(9) | ExitStatus::Code(137) if exit.oom.is_some() => Some(killed(process, exit)),
        ExitStatus::Signal(9) => Some(killed(process, exit)),
        ExitStatus::Signal(number) | ExitStatus::Core(number) => Some(of_signal(number)),
        ExitStatus::Code(code) => of_code(code),
        ExitStatus::Unknown => Some(cause("nobody saw it end: its supervisor was killed, or the machine went down")),
        ExitStatus::NotRun(errno) => {
            let why = std::io::Error::from_raw_os_error(errno);
            Some(
                cause(format!("its program was never run: {why}"))
                    .with_advice("tsm doctor validate, with its command line"),
            )
        }
        ExitStatus::Hook(code) => {
            let command = &process.meta.prehook;
            Some(cause(format!("its pre-start command failed with exit code {code}: `{command}`")))
        }
    }
}

/// What the supervisor saw of the kernel's counts when it ended.
fn of_memory(process: &Process, memory: OomVerdict) -> PossibleCause {
    let most = process.meta.run.limits.memory_max;
    match memory {
        OomVerdict::Certain if most > 0 && process.meta.run_state.memory_method == MemoryMethod::Group => {
            cause(format!("the kernel killed it: it and what it started used more than their limit of {}", Size(most)))
                .with_advice("raise --memory-max or TSM_MEMORY_MAX, or give the program less to do")
        }
        OomVerdict::Certain => cause("the kernel killed it for lack of memory: the control group it runs in is full")
            .with_advice("raise the limit of the unit or container it runs in, or give the program less to do"),
        OomVerdict::Likely => {
            cause("the kernel probably killed it: it killed something for lack of memory at that time")
                .with_advice("as root: dmesg | grep -i 'out of memory'; `tsm stats` shows who uses how much")
        }
    }
}

/// Who sent SIGKILL: the kernel for lack of memory, as far as its log tells, or somebody unknown.
fn killed(process: &Process, exit: &LastExit) -> PossibleCause {
    if let Some(memory) = exit.oom {
        return of_memory(process, memory);
    }
    let program = process.meta.run.argv.first().and_then(|word| Path::new(word).file_name());
    let program: String = program.map(|name| name.to_string_lossy().chars().take(15).collect()).unwrap_or_default();
    let since_boot = exit.at_ms.saturating_sub(process::boot_ms().unwrap_or(0));
    match kernel::oom_kills() {
        Some(kills) => {
            let near = |kill: &&kernel::OomKill| kill.at_ms.abs_diff(since_boot) < 5000 && kill.program == program;
            match kills.iter().find(near) {
                Some(kill) => {
                    let what = format!("the kernel killed it (pid {}) for lack of memory", kill.pid);
                    cause(what).with_advice("give the machine or the limit more, or the program less to do")
                }
                None => cause("somebody sent SIGKILL; the kernel's log does not tell of a lack of memory"),
            }
        }
        None => {
            let what =
                "somebody sent SIGKILL: perhaps the kernel, for lack of memory; its log cannot be read from here";
            cause(what).with_advice("as root: dmesg | grep -i 'out of memory'")
        }
    }
}

fn of_signal(number: u8) -> PossibleCause {
    match number {
        4 => cause("it ran an instruction that this processor does not have (SIGILL)"),
        6 => cause("it gave itself up (SIGABRT): a failed assertion, or its heap was damaged or full"),
        7 => cause("it used memory that is not there (SIGBUS): perhaps a file that was cut under it"),
        8 => cause("it divided by zero (SIGFPE)"),
        11 => cause("it used memory that is not its own (SIGSEGV): a mistake in it or in a library"),
        13 => cause("it wrote to somebody who had gone (SIGPIPE)"),
        24 => cause("it used up its processor time (SIGXCPU)").with_advice("look at its limits: ulimit -t"),
        25 => cause("it wrote a file that is too large (SIGXFSZ)").with_advice("look at its limits: ulimit -f"),
        31 => cause("it made a call that is forbidden to it (SIGSYS)"),
        1 | 2 | 15 => {
            cause("somebody asked it to end, and not through tsm").with_advice("look for kill in scripts and units")
        }
        other => cause(format!("signal {other} ended it")),
    }
}

fn of_code(code: u8) -> Option<PossibleCause> {
    match code {
        0 => None,
        126 => Some(cause("exit 126: a shell found its program, and it may not be executed").with_advice("chmod +x")),
        127 => {
            Some(cause("exit 127: a shell did not find its program").with_advice("look at PATH and at the directory"))
        }
        129..=192 => {
            let inner = of_signal(code - 128);
            Some(PossibleCause {
                what: format!("exit {code}: below a shell, signal {} ended it: {}", code - 128, inner.what),
                ..inner
            })
        }
        _ => Some(cause(format!("it ended itself with exit code {code}; its last lines may tell why"))),
    }
}

/// What it needs and is not there.
fn system_context(process: &Process) -> Vec<PossibleCause> {
    let meta = &process.meta;
    let mut causes = Vec::new();
    if !meta.cwd.as_os_str().is_empty() && !meta.cwd.is_dir() {
        causes.push(cause(format!("its directory `{}` is not there", meta.cwd.display())));
    }
    if !meta.env_file.is_empty() && !Path::new(&meta.env_file).is_file() {
        causes.push(cause(format!("its env file `{}` is not there", meta.env_file)));
    }
    if meta.run_state.discarded_bytes > 0 {
        let bytes = meta.run_state.discarded_bytes;
        causes.push(cause(format!("the disk was full: {bytes} bytes of its log are lost")).with_advice("make room"));
    }
    causes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_words_tell_the_cause() {
        let said = |line: &str| words(None, &["listening soon".to_owned(), line.to_owned()]).map(|cause| cause.what);
        assert_eq!(
            said("Error: listen EADDRINUSE: address already in use :::3000").as_deref(),
            Some("its port is in use: `Error: listen EADDRINUSE: address already in use :::3000`")
        );
        assert!(said("ModuleNotFoundError: No module named 'x'").is_some_and(|it| it.starts_with("a module")));
        assert!(said("connect with password=hunter2: ECONNREFUSED").is_some_and(|it| !it.contains("hunter2")));
        assert_eq!(said("all is well"), None);
        let limited = words(Some(50 << 20), &["MemoryError".to_owned()]).map(|cause| cause.what);
        assert_eq!(
            limited.as_deref(),
            Some("it ran out of memory, of which each of its processes may have 50M (RLIMIT_DATA): `MemoryError`")
        );
    }

    #[test]
    fn codes_of_a_shell_are_told_as_what_they_mean() {
        assert!(of_code(127).is_some_and(|it| it.what.contains("did not find its program")));
        assert!(of_code(139).is_some_and(|it| it.what.contains("signal 11") && it.what.contains("SIGSEGV")));
        assert!(of_code(3).is_some_and(|it| it.what.contains("exit code 3")));
        assert_eq!(of_code(0), None);
    }
}
