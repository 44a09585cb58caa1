//! The formats of env files: how a name and a value are written for their readers.

use std::fmt::Write as _;

use crate::base::fault::UserFacingError;

/// Who will read the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EnvFormat {
    /// A shell that sources it, and tsm: `export KEY="value"`.
    #[default]
    Export,
    /// Libraries that read `.env` files: `KEY=value`, quoted where needed.
    Dotenv,
    /// `EnvironmentFile=` of a unit: `KEY="value"`.
    Systemd,
    /// `docker run --env-file`: `KEY=value`, never quoted.
    Docker,
    /// `kubectl create secret --from-env-file`: `KEY=value`, never quoted.
    K8s,
    /// One object.
    Json,
}

/// A value that a format cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the value of `{key}` cannot be written for {word}: it contains {what}")]
pub struct FormatError {
    /// The variable.
    pub key: String,
    /// The format.
    pub word: &'static str,
    /// What is in the way.
    pub what: &'static str,
}

impl UserFacingError for FormatError {
    fn advice(&self) -> Option<String> {
        Some("--format export, systemd and json support line breaks; no format supports NUL".to_owned())
    }
}

impl EnvFormat {
    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Export => "export",
            Self::Dotenv => "dotenv",
            Self::Systemd => "systemd",
            Self::Docker => "docker",
            Self::K8s => "k8s",
            Self::Json => "json",
        }
    }

    /// The name of the file for an environment. Formats that tsm reads share one.
    #[must_use]
    pub fn file_name(self, env: &str) -> String {
        match self {
            Self::Export | Self::Dotenv => format!("{env}.env"),
            Self::Systemd | Self::Docker | Self::K8s => format!("{env}.{}.env", self.word()),
            Self::Json => format!("{env}.json"),
        }
    }

    /// One variable as a line with its end. In JSON a member without comma.
    ///
    /// # Errors
    ///
    /// Fails for a NUL, and for a line end where values are never quoted.
    pub fn line(self, key: &str, value: &str) -> Result<String, FormatError> {
        let refuse = |what| Err(FormatError { key: key.to_owned(), word: self.word(), what });
        if value.contains('\0') {
            return refuse("a NUL byte");
        }
        Ok(match self {
            Self::Export => format!("export {key}=\"{}\"\n", double_quoted(value)),
            Self::Systemd => format!("{key}=\"{}\"\n", double_quoted(value)),
            Self::Dotenv => format!("{key}={}\n", dotenv(value)),
            Self::Docker | Self::K8s => {
                if value.contains(['\n', '\r']) {
                    return refuse("a line break");
                }
                format!("{key}={value}\n")
            }
            Self::Json => format!("{}: {}", serde_json::Value::from(key), serde_json::Value::from(value)),
        })
    }

    /// The body of a file: lines as they are and variables, in order.
    ///
    /// # Errors
    ///
    /// As [`EnvFormat::line`].
    pub fn body(self, lines: &[EnvLine]) -> Result<String, FormatError> {
        if self == Self::Json {
            let members = lines.iter().filter_map(|line| match line {
                EnvLine::Variable { key, value } => Some(self.line(key, value)),
                EnvLine::Verbatim(_) => None,
            });
            let members: Vec<String> = members.collect::<Result<_, _>>()?;
            return Ok(format!("{{\n  {}\n}}\n", members.join(",\n  ")));
        }
        let mut body = String::new();
        for line in lines {
            match line {
                // A string takes everything.
                EnvLine::Verbatim(text) => writeln!(body, "{text}").unwrap_or_default(),
                EnvLine::Variable { key, value } => body.push_str(&self.line(key, value)?),
            }
        }
        Ok(body)
    }
}

/// A line to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvLine {
    /// As it is.
    Verbatim(String),
    /// A variable.
    Variable {
        /// Its name.
        key: String,
        /// Its value.
        value: String,
    },
}

/// What is between double quotes so that a shell gives the value back.
#[must_use]
pub fn double_quoted(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        if matches!(c, '\\' | '"' | '$' | '`') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A value as libraries that read `.env` files give it back. They differ in what they do with backslashes, `$` and backticks, so
/// the first form is taken that none of them changes; where there is none, one that does not expand `$NAME` gives it back.
fn dotenv(value: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./:@%+,=-".contains(c);
    if value.chars().all(is_plain) {
        return value.to_owned();
    }
    let ends_in_backslash = value.ends_with('\\');
    // One of two backslashes is lost inside single quotes, and a last one takes the meaning of the closing quote away.
    let fits_single = !value.contains('\r') && !value.contains("\\\\") && !ends_in_backslash;
    let expands = value.contains('$');
    let single = || format!("'{}'", value.replace('\'', "\\'"));
    let double = || {
        let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\r', "\\r");
        format!("\"{escaped}\"")
    };
    match value {
        _ if fits_single && !value.contains('\'') => single(),
        _ if !expands && !value.contains('`') && !ends_in_backslash => double(),
        _ if !expands && fits_bare(value) => value.to_owned(),
        _ if fits_single && !value.contains('\n') && !value.contains("\\'") => single(),
        _ if !expands && !ends_in_backslash => double(),
        _ if fits_bare(value) => value.to_owned(),
        _ => double(),
    }
}

/// Nothing would be cut off or taken for a quote if the value stood alone.
fn fits_bare(value: &str) -> bool {
    let mut last = '=';
    let is_comment = value.chars().any(|c| std::mem::replace(&mut last, c).is_whitespace() && c == '#');
    let is_quoted = value.starts_with(['\'', '"', '`', '#']);
    !is_comment && !is_quoted && value.trim() == value && !value.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::dotenv;

    #[test]
    fn each_reader_gets_its_own_quoting() {
        let line = |format: EnvFormat| format.line("K", "a \"b\" $c `d` \\ 'e'").expect("writable");
        let quoted = "\"a \\\"b\\\" \\$c \\`d\\` \\\\ 'e'\"\n";
        assert_eq!(line(EnvFormat::Export), format!("export K={quoted}"));
        assert_eq!(line(EnvFormat::Systemd), format!("K={quoted}"));
        assert_eq!(line(EnvFormat::Dotenv), "K='a \"b\" $c `d` \\ \\'e\\''\n");
        assert_eq!(line(EnvFormat::Docker), "K=a \"b\" $c `d` \\ 'e'\n");
        assert_eq!(EnvFormat::Dotenv.line("K", "a b").as_deref(), Ok("K='a b'\n"));
        assert_eq!(EnvFormat::K8s.line("K", "a\nb").map_err(|error| error.what), Err("a line break"));
        let pair = |key: &str, value: &str| EnvLine::Variable { key: key.to_owned(), value: value.to_owned() };
        let body = EnvFormat::Json.body(&[EnvLine::Verbatim("# x".to_owned()), pair("A", "1\n"), pair("B", "é")]);
        assert_eq!(body.as_deref(), Ok("{\n  \"A\": \"1\\n\",\n  \"B\": \"é\"\n}\n"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value in "[a-z \"'$`\\\\#=\n\t{}é!]{0,24}|\\PC{0,24}") {
            for format in [EnvFormat::Export, EnvFormat::Dotenv, EnvFormat::Systemd] {
                let line = format.line("K", &value).expect("writable");
                let read = dotenv::parse(&line).map(|settings| settings.into_iter().map(|it| it.value).collect::<Vec<_>>());
                prop_assert_eq!(read, Ok(vec![value.clone()]), "{:?}", line);
            }
        }
    }
}
