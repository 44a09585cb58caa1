//! tetra: an operator shell.
//!
//! ```text
//! argv / -c / script / REPL line
//!    launch              who was called, with what; builds Paths, Session, Console once
//!    base::line          text -> Words with spans | Unfinished | Malformed   (runner, completer, highlighter, validator)
//!    command::registry   Words -> (&Entry, rest)                             (longest name wins; near misses suggested)
//!    Entry               rest -> typed arguments                             (clap, one small parser per command)
//!    command::*          arguments + Cx -> Prepared: effect, environments, plan
//!    shell::confirm      guard: effect x environment                         (the only place that asks)
//!    ops | tsm | org     one operation -> value -> Report | Fault
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
//! | 5 | `shell` lines, context, REPL, script · `ui` console, tables, styles | 0 3 4, `sys` and `ops` · 0 3; not each other |
//! | 4b | `serve` HTTP: health, metrics, the page | 0–3 |
//! | 4 | `command` one file per command, the table | 0–3 |
//! | 3 | `report` what commands say, as values | 0 |
//! | 2b | `ops` operations over several domains: start, reconcile, stack, snapshot, apply · `daemon` a loop over them, and its unit | 0–2 · and `ops` |
//! | 2 | `tsm` processes · `org` environments from one file · `env` variables, env files, secrets · `tkm` keys, pins, hosts · `unit` units of systemd as text · `deploy` states, records and releases | 0, `sys`, `config`; `tsm` also `supervise` |
//! | 1 | `sys` the machine · `config` TOML with places, key paths, expansion, masks, what is secret · `supervise` sealed: only level 0 | 0 |
//! | 0 | `base` names, environments, times, faults, the lexer, the `.env` parser · `disk` opens files | nothing |
//!
//! # What must not happen
//!
//! * Nothing below layer 5 prints, exits, reads a variable or a clock by itself.
//! * `supervise` does not know the shell: it could be a program of its own.
//! * A domain never imports another; an operation composes them.
//! * Only the holder of the worker lock writes a process's `meta.json` after its start.
//! * Nothing below `$TETRA_DIR` is opened but by `disk`.

#![cfg_attr(not(test), deny(clippy::too_many_lines))]

pub mod base;
pub mod cli;
pub mod command;
pub mod config;
pub mod daemon;
pub mod deploy;
pub mod disk;
pub mod env;
pub mod ops;
pub mod org;
pub mod report;
pub mod serve;
pub mod shell;
pub mod supervise;
pub mod sys;
pub mod tkm;
pub mod tsm;
pub mod ui;
pub mod unit;
