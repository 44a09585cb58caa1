//! `tsm ports` and its verbs.

pub mod assign;
pub mod conflicts;
pub mod list;
pub mod scan;
pub mod transfer;

use crate::base::fault::Fault;
use crate::command::Cx;
use crate::tsm::store::{Process, ProcessStore};

/// All processes, as they are; nothing is changed.
fn processes(cx: &Cx) -> Result<Vec<Process>, Fault> {
    Ok(ProcessStore::open(cx.paths).all()?)
}
