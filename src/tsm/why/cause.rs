//! What may have ended a process: the signal or the exit code, the kernel, its own last words, its port, its directory.

use std::path::Path;

use super::{PossibleCause, StopRequester, is_failure};
use crate::base::signal::Signal;
use crate::base::size::Size;
use crate::supervise::limits::MemoryMethod;
use crate::supervise::meta::{ExitStatus, LastExit, OomVerdict};
use crate::sys::{kernel, process};
use crate::tsm::conflict::{self, PortHolder};
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
        let known = !causes.is_empty();
        // A plain exit code says nothing where something better was found.
        let exit = exit.filter(|exit| !(known && exit.oom.is_none() && matches!(exit.status, ExitStatus::Code(_))));
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

/// Another process listens on its port.
fn port(process: &Process) -> Option<PossibleCause> {
    let port = process.meta.port.filter(|_| !process.is_running())?;
    let found = conflict::listening(port, std::slice::from_ref(process))?;
    let own = matches!(&found.holder, PortHolder::Process { managed: Some(_), .. });
    (!own).then(|| cause(found.line()).with_advice(found.suggestion()))
}

/// Last words that tell the cause, in small letters, what they mean, and what to do.
const WORDS: [(&str, &str, &str); 24] = [
    ("eaddrinuse", "the port is already in use", "run `tsm doctor port N` to see by which process"),
    ("address already in use", "the port is already in use", "run `tsm doctor port N` to see by which process"),
    ("eacces", "permission denied", "check the user, the port (below 1024?) and the modes of its files"),
    ("permission denied", "permission denied", "check the user, the port (below 1024?) and the modes of its files"),
    ("cannot find module", "a module is missing", "install the dependencies in its directory: npm install"),
    ("modulenotfounderror", "a module is missing", "install the dependencies, and check its virtual environment"),
    ("no module named", "a module is missing", "install the dependencies, and check its virtual environment"),
    ("javascript heap out of memory", HEAP_FULL, "raise --max-old-space-size"),
    ("outofmemoryerror", OUT_OF_MEMORY, CHECK_LIMITS),
    ("memoryerror", OUT_OF_MEMORY, "check `tsm stats` while it is running"),
    ("out of memory", OUT_OF_MEMORY, CHECK_LIMITS),
    ("memory exhausted", OUT_OF_MEMORY, CHECK_LIMITS),
    ("not enough memory", OUT_OF_MEMORY, CHECK_LIMITS),
    ("insufficient memory", OUT_OF_MEMORY, CHECK_LIMITS),
    ("cannot allocate memory", NO_MEMORY, CHECK_LIMITS),
    ("alloc: cannot allocate", NO_MEMORY, CHECK_LIMITS),
    ("memory allocation of", NO_MEMORY, CHECK_LIMITS),
    ("failed to allocate memory", NO_MEMORY, CHECK_LIMITS),
    ("std::bad_alloc", NO_MEMORY, CHECK_LIMITS),
    ("econnrefused", "a dependency refuses connections", "start the dependency first"),
    ("connection refused", "a dependency refuses connections", "start the dependency first"),
    ("no space left on device", "the disk is full", "free disk space"),
    ("too many open files", "too many files are open", "raise --limit-nofile or TSM_LIMIT_NOFILE"),
    ("syntaxerror", "the program has a syntax error", "the lines above show where"),
];

/// What its last words say, when each of its processes has this limit of memory.
fn words(limit: Option<u64>, last_lines: &[String]) -> Option<PossibleCause> {
    last_lines.iter().rev().find_map(|line| {
        let small = line.to_lowercase();
        let (_, what, advice) = WORDS.iter().find(|(word, ..)| small.contains(word))?;
        if let Some(limit) = limit.map(Size).filter(|_| MEMORY.contains(what)) {
            let what = format!("{what}; each of its processes is limited to {limit} (RLIMIT_DATA): `{}`", shown(line));
            return Some(cause(what).with_advice("raise --memory-max or TSM_MEMORY_MAX, or reduce the load"));
        }
        Some(cause(format!("{what}: `{}`", shown(line))).with_advice(*advice))
    })
}

/// What is said where memory was missing.
const MEMORY: [&str; 3] = [OUT_OF_MEMORY, NO_MEMORY, HEAP_FULL];
const OUT_OF_MEMORY: &str = "out of memory";
const NO_MEMORY: &str = "a memory allocation failed";
const HEAP_FULL: &str = "the heap was full";
const CHECK_LIMITS: &str = "check `tsm stats` and the memory limits of the process (`tsm info`) and of the unit";

fn shown(line: &str) -> String {
    crate::base::redact::text(line.trim())
}

fn of_exit(process: &Process, exit: &LastExit) -> Option<PossibleCause> {
    match exit.status {
        ExitStatus::Signal(9) | ExitStatus::Code(137) if exit.oom.is_some() => Some(killed(process, exit)),
        ExitStatus::Signal(9) => Some(killed(process, exit)),
        ExitStatus::Signal(number) | ExitStatus::Core(number) => Some(of_signal(number)),
        ExitStatus::Code(code) => of_code(code),
        ExitStatus::Unknown => Some(cause("exit status unknown (the supervisor was killed, or the machine went down)")),
        ExitStatus::NotRun(errno) => {
            let why = std::io::Error::from_raw_os_error(errno);
            Some(
                cause(format!("the program failed to start: {why}"))
                    .with_advice("check it with `tsm doctor validate COMMAND`"),
            )
        }
        ExitStatus::Hook(code) => {
            let command = &process.meta.prehook;
            Some(cause(format!("the pre-start command failed with exit code {code}: `{command}`")))
        }
    }
}

/// What the supervisor saw of the kernel's counts when it ended.
fn of_memory(process: &Process, memory: OomVerdict) -> PossibleCause {
    let most = process.meta.run.limits.memory_max;
    match memory {
        OomVerdict::Certain if most > 0 && process.meta.run_state.memory_method == MemoryMethod::Group => cause(
            format!("killed by the kernel: all its processes together exceeded the memory limit of {}", Size(most)),
        )
        .with_advice("raise --memory-max or TSM_MEMORY_MAX, or reduce the load"),
        OomVerdict::Certain => cause("killed by the kernel: the memory limit of its control group was reached")
            .with_advice("raise the limit of the unit or container it runs in, or reduce the load"),
        OomVerdict::Likely => cause("probably killed by the kernel: it was out of memory at that time")
            .with_advice("as root: dmesg | grep -i 'out of memory'; `tsm stats` shows the memory use"),
    }
}

/// Who sent SIGKILL: the kernel for lack of memory, as far as its log shows, or an unknown process.
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
                    let what = format!("killed by the kernel (pid {}): out of memory", kill.pid);
                    cause(what).with_advice("add memory or raise the limit, or reduce the load")
                }
                None => cause("killed with SIGKILL by another process; the kernel log reports no lack of memory"),
            }
        }
        None => {
            let what = "killed with SIGKILL by another process or by the kernel (out of memory); the kernel log is not readable";
            cause(what).with_advice("as root: dmesg | grep -i 'out of memory'")
        }
    }
}

fn of_signal(number: u8) -> PossibleCause {
    match number {
        4 => cause("executed an invalid instruction (SIGILL)"),
        6 => cause("aborted (SIGABRT): a failed assertion, or a damaged or full heap"),
        7 => cause("accessed invalid memory (SIGBUS), such as a truncated mapped file"),
        8 => cause("arithmetic error such as a division by zero (SIGFPE)"),
        11 => cause("accessed invalid memory (SIGSEGV): a bug in it or in a library"),
        13 => cause("wrote to a closed pipe or socket (SIGPIPE)"),
        24 => cause("exceeded its CPU time limit (SIGXCPU)").with_advice("check its limits: ulimit -t"),
        25 => cause("exceeded the file size limit (SIGXFSZ)").with_advice("check its limits: ulimit -f"),
        31 => cause("made a forbidden system call (SIGSYS)"),
        1 | 2 | 15 => cause("terminated by a signal that was not sent through tsm")
            .with_advice("check scripts and units for kill"),
        9 => cause("killed with SIGKILL by another process or by the kernel (out of memory)"),
        other => match Signal::from_number(other.into()) {
            Some(signal) => cause(format!("ended by {signal}, which it does not handle")),
            None => cause(format!("ended by signal {other}, which it does not handle")),
        },
    }
}

fn of_code(code: u8) -> Option<PossibleCause> {
    match code {
        0 => None,
        126 => Some(cause("exit code 126: the shell found a command that is not executable").with_advice("chmod +x")),
        127 => Some(
            cause("exit code 127: the shell did not find a command")
                .with_advice("check PATH and the working directory"),
        ),
        129..=192 => {
            let inner = of_signal(code - 128);
            Some(PossibleCause {
                what: format!(
                    "exit code {code}: of a command of the shell that was ended by signal {}: {}",
                    code - 128,
                    inner.what
                ),
                ..inner
            })
        }
        _ => Some(cause(format!("exited with code {code}; its last lines may show why"))),
    }
}

/// What it needs and is not there.
fn system_context(process: &Process) -> Vec<PossibleCause> {
    let meta = &process.meta;
    let mut causes = Vec::new();
    if !meta.cwd.as_os_str().is_empty() && !meta.cwd.is_dir() {
        causes.push(cause(format!("its working directory `{}` does not exist", meta.cwd.display())));
    }
    for file in meta.env_files().iter().filter(|file| !file.optional && !Path::new(file.path).is_file()) {
        causes.push(cause(format!("its env file `{}` does not exist", file.path)));
    }
    if meta.run_state.discarded_bytes > 0 {
        let bytes = meta.run_state.discarded_bytes;
        causes.push(
            cause(format!("the disk was full: {bytes} bytes of its log were lost")).with_advice("free disk space"),
        );
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
            Some("the port is already in use: `Error: listen EADDRINUSE: address already in use :::3000`")
        );
        assert!(said("ModuleNotFoundError: No module named 'x'").is_some_and(|it| it.starts_with("a module")));
        assert!(said("connect with password=hunter2: ECONNREFUSED").is_some_and(|it| !it.contains("hunter2")));
        assert_eq!(said("all is well"), None);
        let limited = words(Some(50 << 20), &["MemoryError".to_owned()]).map(|cause| cause.what);
        assert_eq!(
            limited.as_deref(),
            Some("out of memory; each of its processes is limited to 50M (RLIMIT_DATA): `MemoryError`")
        );
        for line in [
            "eat.sh: xrealloc: cannot allocate 16777344 bytes",
            "memory allocation of 1024 bytes failed",
            "terminate called after throwing an instance of 'std::bad_alloc'",
            "fatal error: runtime: out of memory",
            "java.lang.OutOfMemoryError: Java heap space",
            "[FATAL] failed to allocate memory",
            "tail: memory exhausted",
            "lua: not enough memory",
            "There is insufficient memory for the Java Runtime Environment to continue.",
        ] {
            let said = words(Some(50 << 20), &[line.to_owned()]).map(|cause| cause.what);
            assert!(said.as_ref().is_some_and(|it| it.contains("limited to 50M")), "{line}: {said:?}");
        }
    }

    #[test]
    fn codes_of_a_shell_are_reported_by_their_meaning() {
        assert!(of_code(127).is_some_and(|it| it.what.contains("did not find a command")));
        assert!(of_code(139).is_some_and(|it| it.what.contains("signal 11") && it.what.contains("SIGSEGV")));
        assert!(of_code(3).is_some_and(|it| it.what.contains("exited with code 3")));
        assert_eq!(of_code(0), None);
    }
}
