//! `--watch` is a switch in PM2 and takes a path here: what to say where the program was taken for that path.

use crate::base::fault::Fault;
use crate::base::line;
use crate::command::Cx;
use crate::sys::program::find;
use crate::tsm::request::StartRequest;

/// The error of a start, with what `--watch` took if that may have been the program.
pub(super) fn explain(fault: Fault, request: &StartRequest, cx: &Cx) -> Fault {
    let Some(taken) = request.options.watch.as_ref().and_then(|paths| paths.last()) else { return fault };
    let path = cx.host.cwd().join(taken);
    let is_empty = request.program.is_empty() && request.arguments.iter().flatten().next().is_none();
    let is_in_path = || find(taken, cx.host.variable("PATH").unwrap_or_default(), cx.host.cwd()).is_some();
    let may_be_program = if is_empty { !path.is_dir() } else { !path.exists() && is_in_path() };
    if !may_be_program {
        return fault;
    }
    let program = [taken].into_iter().chain(&request.program).chain(request.arguments.iter().flatten());
    let advice = format!(
        "`--watch` takes the path that is watched, `.` for this directory: `tsm start --watch . {}`",
        line::join(program)
    );
    if is_empty {
        let taken = line::join([taken]);
        return Fault::usage(format!("missing program for `tsm start`: `{taken}` is what `--watch` watches"))
            .with_advice(advice);
    }
    fault.with_advice(advice)
}
