//! The settings of the shell, read from TOML.

use std::io::ErrorKind;
use std::path::Path;

use crate::base::fault::{Fault, FaultKind, Location};
use crate::base::name::AliasName;
use crate::command::Settings;
use crate::command::context::validation_error;
use crate::disk;

/// The settings in `config.toml`: the keys of `set`, and aliases in the table `aliases`. None if the file does not exist.
///
/// # Errors
///
/// Fails with the location if the file cannot be read, is not TOML, or contains an invalid key or value.
pub fn settings(path: &Path) -> Result<Option<Settings>, Fault> {
    let text = match disk::read_trusted(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(Fault::new(FaultKind::Failed, format!("failed to read `{}`: {error}", path.display())));
        }
    };
    let name = path.display().to_string();
    let wrong =
        |message: String, span: std::ops::Range<usize>| Fault::usage(message).at(Location::of(&name, &text, &span, 1));
    let file: toml::Table = text
        .parse()
        .map_err(|error: toml::de::Error| wrong(error.message().to_owned(), error.span().unwrap_or(0..0)))?;
    let mut settings = Settings::default();
    for (key, value) in &file {
        let place = find(&text, key);
        if let ("aliases", Some(aliases)) = (key.as_str(), value.as_table()) {
            for (alias, line) in aliases {
                let (Ok(_), Some(line)) = (alias.parse::<AliasName>(), line.as_str()) else {
                    return Err(wrong(format!("invalid alias name `{alias}`"), find(&text, alias)));
                };
                settings.aliases.insert(alias.clone(), line.to_owned());
            }
            continue;
        }
        let value = match value {
            toml::Value::Boolean(on) => if *on { "on" } else { "off" }.to_owned(),
            toml::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if let Some(advice) = validation_error(key, &value) {
            return Err(wrong(format!("invalid value `{value}` for `{key}`"), place).with_advice(advice));
        }
        settings.values.insert(key.clone(), value);
    }
    Ok(Some(settings))
}

/// The position of a key at the start of a line.
fn find(text: &str, key: &str) -> std::ops::Range<usize> {
    let lines = text.split_inclusive('\n').scan(0, |start, line| {
        let at = *start;
        *start += line.len();
        Some((at, line))
    });
    let mut found = lines.filter(|(_, line)| line.trim_start().starts_with(key));
    found.next().map_or(0..0, |(at, line)| {
        let start = at + line.len() - line.trim_start().len();
        start..start + key.len()
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn settings_are_those_of_set_and_aliases() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("config.toml");
        assert_eq!(settings(&path).expect("no file is fine"), None);
        fs::write(&path, "edit-mode = 'vi'\nhistory-size = 5\nplain = true\n[aliases]\ndown = 'tsm stop all'\n")
            .expect("written");
        let read = settings(&path).expect("it is right").expect("it is there");
        assert_eq!((read.get("edit-mode"), read.get("history-size"), read.get("plain")), ("vi", "5", "on"));
        assert_eq!(read.aliases.get("down").map(String::as_str), Some("tsm stop all"));
    }

    #[test]
    fn what_is_wrong_in_the_settings_has_a_place() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("config.toml");
        for (text, line, column) in
            [("plain = true\n edit-mode = 'ed'\n", 2, 2), ("colour = 1\n", 1, 1), ("plain = [\n", 1, 10)]
        {
            fs::write(&path, text).expect("written");
            let fault = settings(&path).expect_err("it is wrong");
            let place = fault.at.expect("a place");
            assert_eq!((place.line, place.column), (line, column), "{text}");
        }
    }
}
