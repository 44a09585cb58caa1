//! Deploys: the transaction on a host, and what an operator's machine does with many of them.
//!
//! ```text
//! place            where an environment is on a host: its release, its file, its services
//! host             the host's side of a session: what is asked, step by step
//! serve            the frames around it
//! carried          env files and secrets there
//! service_drift    how services there are not as the release says
//! gather           the same on the operator's machine
//! sending          the operator's side: what goes over the connection
//! program_dir      this program by its name, for services that call it
//! preflight        what is checked before anything is switched
//! health           how what runs is, and whether it is what was deployed
//! frozen           whether a deploy may begin at all
//! give_up          the old release is put back, by what finds that a deploy did not end
//! recover          the same by the next deployer
//! watcher          a process that does it when the time is up, or the deployer is gone
//! member           the operator's side: one host through its steps
//! opened           the session with it
//! rollout          the operator's side: all hosts through theirs
//! halt             what the operator wants of it meanwhile
//! saying           what is said of a host meanwhile
//! watched          it is at work, and is shown meanwhile
//! glance           what is at work on this machine, for its prompts
//! verdict          what that came to, in a sentence
//! ```

mod carried;
mod commit;
pub mod frozen;
pub mod gather;
pub mod give_up;
pub mod glance;
pub mod halt;
pub mod health;
pub mod host;
mod lost;
pub mod member;
mod opened;
pub mod place;
mod preflight;
pub mod program_dir;
mod recover;
pub mod rollout;
pub mod saying;
mod sending;
pub mod serve;
mod service_drift;
pub mod verdict;
pub mod watched;
pub mod watcher;
