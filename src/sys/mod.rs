//! The machine behind small doors: paths, files, locks, programs, /proc, signals.
#![allow(unsafe_code)]

pub mod child;
pub mod credential_socket;
pub mod daemonize;
pub mod digest;
pub mod dir_watch;
pub mod disk_space;
pub mod file;
pub mod history;
pub mod host;
pub mod install;
pub mod kernel;
pub mod launch_socket;
pub mod listen_socket;
pub mod net;
pub mod notify;
pub mod os_host;
pub mod passwd;
pub mod password_prompt;
pub mod paths;
pub mod pidfd;
pub mod pipe_to;
pub mod poll;
pub mod privileges;
pub mod process;
pub mod program;
pub mod sigcont;
pub mod signal;
pub mod systemd;
pub mod terminal;
pub mod thread_host;
pub mod timeout;
pub mod tree_watch;
pub mod tty;
pub mod usage;
