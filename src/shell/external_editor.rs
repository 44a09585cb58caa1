//! A line in the operator's own editor.

use std::io::Write;

use crate::base::fault::{Fault, FaultKind};
use crate::disk;
use crate::sys::host::{Host, Invocation};

/// Lets the operator edit a text with `$VISUAL`, `$EDITOR` or vi; what it is afterwards.
///
/// # Errors
///
/// Fails if the editor cannot be started or says that it failed; the text is then as it was.
pub fn edit(host: &dyn Host, text: &str) -> Result<String, Fault> {
    let line = host.variable("VISUAL").or_else(|| host.variable("EDITOR")).unwrap_or("vi");
    let mut words = shlex::split(line).filter(|words| !words.is_empty()).unwrap_or_else(|| vec![line.to_owned()]);
    let failed =
        |what: String| Fault::new(FaultKind::Failed, what).with_advice("set $VISUAL or $EDITOR to an editor of yours");
    // Readable by the operator alone, and gone when this returns.
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
        return Err(failed(format!("the editor `{program}` ended with {}; the line is as it was", finished.exit_code)));
    }
    // Editors replace files, so it is the name that counts.
    let edited = disk::read_to_string(file.path())
        .map_err(|error| failed(format!("failed to read what `{program}` wrote: {error}")))?;
    Ok(edited.trim_end().to_owned())
}
