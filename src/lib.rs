//! tetra: an operator shell.
//!
//! ```text
//! argv / -c / script / REPL line
//!    launch              who was called, with what; builds Paths, Session, Console once
//!    base::line          text -> Words with spans | Unfinished | Malformed   (runner, completer, highlighter, validator)
//!    command::registry   Words -> (&Entry, rest)                             (longest name wins; near misses suggested)
//!    Entry               rest -> typed arguments                             (clap, one small parser per command)
//!    shell::eval         guard: effect x environment                         (the only place that asks)
//!    command::*          arguments + Cx -> one domain call -> Report | Fault
//!    tsm                 plain values in, plain values out
//!    ui::render          Report | Fault -> styled text | plain | JSON
//!    Outcome             exit code | prompt mark | stop at line n
//! ```
//!
//! # Layers
//!
//! Imports go strictly down; `tests/it/tidy.rs` fails the build otherwise.
//!
//! | layer | rooms | may use |
//! |---|---|---|
//! | 6 | `main.rs`, `cli` | everything |
//! | 5 | `shell` lines, context, REPL, script · `ui` console, tables, styles | 0 3 4 and `sys` · 0 3; not each other |
//! | 4 | `command` one file per command, the table | 0–3 |
//! | 3 | `report` what commands say, as values | 0 |
//! | 2 | `tsm` processes · `org` environments from one file · `env` variables, env files, secrets | 0, `sys`; `tsm` also `supervise` |
//! | 1 | `sys` the machine · `supervise` sealed: only level 0 | 0 |
//! | 0 | `base` names, environments, times, faults, the lexer, the `.env` parser · `disk` opens files | nothing |
//!
//! # What must not happen
//!
//! * Nothing below layer 5 prints, exits, reads a variable or a clock by itself.
//! * `supervise` does not know the shell: it could be a program of its own.
//! * A domain never imports another; the command composes them.
//! * Only the holder of the worker lock writes a process's `meta.json` after its start.
//! * Nothing below `$TETRA_DIR` is opened but by `disk`.

pub mod base;
pub mod cli;
pub mod command;
pub mod disk;
pub mod env;
pub mod org;
pub mod report;
pub mod shell;
pub mod supervise;
pub mod sys;
pub mod tsm;
pub mod ui;
