//! `tsm ports` and its verbs.

pub mod allocate;
pub mod conflicts;
pub mod export;
pub mod get;
pub mod import;
pub mod list;
pub mod owner;
pub mod ranges;
pub mod remove;
pub mod scan_ports;
pub mod set;
pub mod validate;

use crate::base::fault::Fault;
use crate::command::Cx;
use crate::tsm::store::{Process, ProcessStore};

/// All processes, as they are; nothing is changed.
fn processes(cx: &Cx) -> Result<Vec<Process>, Fault> {
    Ok(ProcessStore::open(cx.paths).all()?)
}
