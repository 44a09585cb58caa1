//! Editing a line in an external editor.

use std::io::Write;

use crate::base::fault::{Fault, FaultKind};
use crate::disk;
use crate::sys::host::{Host, Invocation};

/// Opens a text in `$VISUAL`, `$EDITOR` or vi and returns the edited text.
///
/// # Errors
///
/// Fails if the editor cannot be started or exits with a failure.
pub fn edit(host: &dyn Host, text: &str) -> Result<String, Fault> {
    let line = host.variable("VISUAL").or_else(|| host.variable("EDITOR")).unwrap_or("vi");
    let mut words = shlex::split(line).filter(|words| !words.is_empty()).unwrap_or_else(|| vec![line.to_owned()]);
    let failed = |what: String| Fault::new(FaultKind::Failed, what).with_advice("set $VISUAL or $EDITOR");
    // Mode 0600, removed when this returns.
    let mut file = tempfile::Builder::new()
        .prefix("line-")
        .suffix(".tetra")
        .tempfile()
        .and_then(|mut file| file.write_all(text.as_bytes()).map(|()| file))
        .map_err(|error| failed(format!("failed to write a temporary file: {error}")))?;
    file.flush().map_err(|error| failed(format!("failed to write a temporary file: {error}")))?;
    words.push(file.path().display().to_string());
    let program = words.remove(0);
    let call = Invocation { program: program.clone(), arguments: words, inherit_stdio: true, ..Invocation::default() };
    let finished =
        host.run(&call).map_err(|error| failed(format!("failed to start the editor `{program}`: {error}")))?;
    if finished.exit_code != 0 {
        return Err(failed(format!(
            "the editor `{program}` exited with code {}; the line was not changed",
            finished.exit_code
        )));
    }
    // Editors may replace the file, so it is read by name.
    let edited = disk::read_to_string(file.path())
        .map_err(|error| failed(format!("failed to read what `{program}` wrote: {error}")))?;
    Ok(edited.trim_end().to_owned())
}
