//! Programs that hold back what they print where it goes to no terminal: they write it once some KiB have come together.

use std::fs;

use super::store::Process;
use crate::sys::process::{self, ProcessTable};

/// Programs of one kind, and what makes them write each line at once.
struct BufferingProgram {
    names: &'static [&'static str],
    /// Words on the command line by which it does so already.
    unbuffered: &'static [&'static str],
    instead: &'static str,
}

/// Set by `stdbuf` for what it runs.
const STDBUF: &str = "_STDBUF_O";

const PROGRAMS: &[BufferingProgram] = &[
    BufferingProgram {
        names: &["ruby"],
        unbuffered: &["sync"],
        instead: "write `$stdout.sync = true` at the start of it",
    },
    BufferingProgram { names: &["perl"], unbuffered: &["$|"], instead: "write `$| = 1;` at the start of it" },
    BufferingProgram { names: &["php"], unbuffered: &["flush"], instead: "call `flush()` after each line" },
    BufferingProgram {
        names: &["lua", "luajit"],
        unbuffered: &["setvbuf"],
        instead: "write `io.stdout:setvbuf(\"line\")` at the start of it",
    },
    BufferingProgram {
        names: &["mawk"],
        unbuffered: &["fflush", "interactive"],
        instead: "call `fflush()`, or use `-W interactive`",
    },
    BufferingProgram {
        names: &["awk", "gawk", "nawk"],
        unbuffered: &["fflush"],
        instead: "call `fflush()` after each line",
    },
    BufferingProgram {
        names: &["grep", "egrep", "fgrep", "rg"],
        unbuffered: &["--line-buffered"],
        instead: "use `--line-buffered`",
    },
    BufferingProgram { names: &["sed"], unbuffered: &["-u", "--unbuffered"], instead: "use `sed -u`" },
    BufferingProgram { names: &["jq"], unbuffered: &["--unbuffered"], instead: "use `--unbuffered`" },
    BufferingProgram { names: &["tcpdump"], unbuffered: &["-l"], instead: "use `-l`" },
    BufferingProgram { names: &["python", "pypy"], unbuffered: &["-u"], instead: "set PYTHONUNBUFFERED=1" },
    BufferingProgram {
        names: &[
            "tr", "cut", "uniq", "nl", "fold", "expand", "od", "hexdump", "paste", "column", "comm", "join", "fmt",
            "rev",
        ],
        unbuffered: &[],
        instead: "put `stdbuf -oL` before it",
    },
];

/// Why a running process may have said nothing: a program in it that is known to hold back its output, and what to do about it.
#[must_use]
pub fn hint(silent: &Process) -> Option<String> {
    let has_output = |path| fs::metadata(path).is_ok_and(|log| log.len() > 0);
    let pid = silent.pid()?;
    if !silent.is_running() || has_output(silent.out_log()) || has_output(silent.err_log()) {
        return None;
    }
    let table = ProcessTable::snapshot();
    table.tree(pid).into_iter().find_map(|it| {
        let argv = process::argv(it.pid);
        let known = of_program(&it.comm, &argv)?;
        let is_set =
            process::variable(it.pid, STDBUF).is_some() || process::variable(it.pid, "PYTHONUNBUFFERED").is_some();
        (!is_set).then(|| {
            format!(
                "{} runs `{}`, which holds back its output until several KiB are there, for it goes to no terminal: {}",
                silent.name, it.comm, known.instead
            )
        })
    })
}

fn of_program(comm: &str, argv: &[String]) -> Option<&'static BufferingProgram> {
    // `python3.12` and `ruby2.7` are what they begin with.
    let name = comm.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let known = PROGRAMS.iter().find(|program| program.names.contains(&name))?;
    let is_set = argv.iter().skip(1).any(|word| known.unbuffered.iter().any(|sign| word.contains(sign)));
    (!is_set).then_some(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_known_by_its_name_unless_it_writes_lines_already() {
        for (line, known) in [
            ("ruby2.7 a.rb", true),
            ("ruby -e $stdout.sync=true", false),
            ("python3.12 a.py", true),
            ("python3 -u a.py", false),
            ("grep x", true),
            ("grep --line-buffered x", false),
            ("sed -u s/a/b/", false),
            ("tr a b", true),
            ("perl -e $|=1;print", false),
            ("node a.js", false),
            ("bash a.sh", false),
        ] {
            let argv: Vec<String> = line.split(' ').map(str::to_owned).collect();
            assert_eq!(of_program(&argv[0], &argv).is_some(), known, "{line}");
        }
    }
}
