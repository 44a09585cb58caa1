//! Files of sections with lines `key=value`: those of supervisord and the units of systemd.

/// How long values go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// A line that begins with a blank goes on; a ` ;` ends a value.
    Supervisord,
    /// A line that ends in `\` goes on; a key may stand there several times.
    Systemd,
}

/// `[name]` and what follows it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) name: String,
    entries: Vec<(String, String)>,
}

impl Section {
    /// Takes the last value of a key, which wins.
    pub(super) fn take(&mut self, key: &str) -> Option<String> {
        self.take_all(key).pop()
    }

    /// Takes all values of a key, in order; an empty one forgets those before it.
    pub(super) fn take_all(&mut self, key: &str) -> Vec<String> {
        let mut values = Vec::new();
        self.entries.retain(|(name, value)| {
            if name == key {
                if value.is_empty() { values.clear() } else { values.push(value.clone()) }
            }
            name != key
        });
        values
    }

    /// The last value of a key, which stays.
    pub(super) fn peek(&self, key: &str) -> Option<&str> {
        self.entries.iter().rfind(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// Adds a field.
    pub(super) fn put(&mut self, key: &str, value: &str) {
        self.entries.push((key.to_owned(), value.to_owned()));
    }

    /// Goes on with the fields of another one.
    pub(super) fn extend(&mut self, other: Self) {
        self.entries.extend(other.entries);
    }

    /// Every field that was not taken.
    pub(super) fn rest(self) -> impl Iterator<Item = (String, String)> {
        self.entries.into_iter()
    }
}

/// The sections of a text, or what is wrong with a line.
pub(super) fn parse(text: &str, style: Style) -> Result<Vec<Section>, String> {
    let mut sections: Vec<Section> = Vec::new();
    let mut goes_on = false;
    for (at, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let indented = line.starts_with([' ', '\t']);
        let plain = line.trim();
        if plain.is_empty() || plain.starts_with(['#', ';']) {
            goes_on = goes_on && style == Style::Systemd && !plain.is_empty();
            continue;
        }
        let last = sections.last_mut().and_then(|section| section.entries.last_mut());
        if let Some((_, value)) = last.filter(|_| goes_on || indented && style == Style::Supervisord) {
            let separator = if style == Style::Systemd { " " } else { "\n" };
            goes_on = add(value, separator, plain, style);
            continue;
        }
        if let Some(name) = plain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            sections.push(Section { name: name.to_owned(), entries: Vec::new() });
            continue;
        }
        let pair = plain.split_once('=').or_else(|| plain.split_once(':').filter(|_| style == Style::Supervisord));
        match (pair, sections.last_mut()) {
            (Some((key, value)), Some(section)) => {
                let mut whole = String::new();
                goes_on = add(&mut whole, "", value.trim(), style);
                section.entries.push((key.trim().to_owned(), whole));
            }
            _ => return Err(format!("line {} is neither a section nor `key=value`", at + 1)),
        }
    }
    Ok(sections)
}

/// Adds a line to a value; true if the next one belongs to it too.
fn add(value: &mut String, separator: &str, line: &str, style: Style) -> bool {
    let (line, goes_on) = match style {
        Style::Systemd => line.strip_suffix('\\').map_or((line, false), |line| (line.trim_end(), true)),
        Style::Supervisord => (line.split(" ;").next().unwrap_or(line).trim_end(), false),
    };
    if !value.is_empty() {
        value.push_str(separator);
    }
    value.push_str(line);
    goes_on
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(text: &str, style: Style) -> Vec<(String, String)> {
        let mut sections = parse(text, style).expect("sections");
        sections.remove(0).entries
    }

    #[test]
    fn values_go_on_as_their_readers_read_them() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(
            entries("; x\n[a]\ncommand = b c ; note\nenvironment=A=1,\n  B=2\n\nx: y\n", Style::Supervisord),
            [pair("command", "b c"), pair("environment", "A=1,\nB=2"), pair("x", "y")]
        );
        assert_eq!(
            entries("[Service]\nExecStart=/b \\\n# note\n  --c ; d\nA=\nA=1\n", Style::Systemd),
            [pair("ExecStart", "/b --c ; d"), pair("A", ""), pair("A", "1")]
        );
        assert!(parse("a=b\n", Style::Systemd).is_err() && parse("[a]\nb\n", Style::Supervisord).is_err());
        assert!(parse("", Style::Systemd).expect("nothing").is_empty());
    }

    #[test]
    fn an_empty_value_forgets_those_before_it() {
        let mut section = parse("[a]\nx=1\nx=\nx=2\nx=3\ny=1\n", Style::Systemd).expect("a section").remove(0);
        assert_eq!(section.take_all("x"), ["2", "3"]);
        assert_eq!((section.take("y").as_deref(), section.take("z")), (Some("1"), None));
        assert_eq!(section.rest().count(), 0);
    }
}
