//! Which port belongs to a process: what was asked for, and what the command line gives away.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::base::fault::{FaultKind, UserFacingError};
use crate::base::redact;

use super::command_line::{CommandLine, quoted};
use super::detect::{CommandShape, ProcessType, detect};

/// A port as an operator asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortSpec {
    /// `N`: this one.
    Exact(u16),
    /// `N+`: the first free one from here on.
    AtLeast(u16),
    /// `none`: it has no port, and PORT is not exported.
    None,
}

/// Where `auto` begins to look.
pub const FIRST_AUTO: u16 = 8000;

/// A text that is not a port.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid port `{}`: expected 1 to 65535", .0.escape_debug())]
pub struct InvalidPort(pub String);

impl UserFacingError for InvalidPort {
    fn kind(&self) -> FaultKind {
        FaultKind::Usage
    }

    fn advice(&self) -> Option<String> {
        Some("expected a number from 1 to 65535, `8000+` for the next free port, or `none`".to_owned())
    }
}

impl FromStr for PortSpec {
    type Err = InvalidPort;

    fn from_str(given: &str) -> Result<Self, InvalidPort> {
        let bad = || InvalidPort(given.to_owned());
        match given {
            "auto" => return Ok(Self::AtLeast(FIRST_AUTO)),
            "none" => return Ok(Self::None),
            _ => {}
        }
        let (digits, wish): (_, fn(u16) -> Self) = match given.strip_suffix('+') {
            Some(digits) => (digits, Self::AtLeast),
            None => (given, Self::Exact),
        };
        number(digits).map(wish).ok_or_else(bad)
    }
}

impl fmt::Display for PortSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(port) => write!(f, "{port}"),
            Self::AtLeast(port) => write!(f, "{port}+"),
            Self::None => f.write_str("none"),
        }
    }
}

/// Where a port comes from, strongest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortSource {
    /// `--port`.
    Flag,
    /// `--env PORT=N`.
    Pair,
    /// An `export PORT=N` of the service definition.
    Export,
    /// `PORT` or `TETRA_PORT` of the env file.
    EnvFile(PathBuf),
    /// `TSM_PORT` of the service definition.
    Definition,
    /// The record of the process that is started again.
    Record,
    /// The command line, in this form; not exported.
    Command(&'static str),
}

impl PortSource {
    /// A claim is exported as `PORT`, reserved, and has to be free. All others are guesses: what a file or a command line says
    /// may be meant for another process.
    #[must_use]
    pub fn is_claim(&self) -> bool {
        matches!(self, Self::Flag | Self::Definition | Self::Record)
    }

    /// A guess that the process gets as a variable, so that it may well use another value.
    #[must_use]
    pub fn is_variable(&self) -> bool {
        matches!(self, Self::Pair | Self::Export | Self::EnvFile(_))
    }
}

impl fmt::Display for PortSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("--port"),
            Self::Pair => f.write_str("--env PORT=…"),
            Self::Export => f.write_str("export of the service"),
            Self::EnvFile(path) => write!(f, "PORT of {}", path.display()),
            Self::Definition => f.write_str("TSM_PORT"),
            Self::Record => f.write_str("the last start"),
            Self::Command(form) => write!(f, "guessed from {form} in the command"),
        }
    }
}

/// The port that a command names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnPort {
    /// Which.
    pub port: u16,
    /// The command with `$PORT` in its place, as one word.
    pub with_variable: String,
}

impl OwnPort {
    /// None if it names none.
    #[must_use]
    pub fn of(line: &CommandLine, shape: &CommandShape) -> Option<Self> {
        let (port, _) = guess(&line.words, shape)?;
        let digits = port.to_string();
        if let Some(text) = &line.shell {
            return Some(Self { port, with_variable: quoted(&with_variable(text, &digits)?) });
        }
        let code = shell_code(&line.words, shape);
        let mut shown: Vec<String> = line.words.iter().map(|word| quoted(word)).collect();
        if let Some(at) = code {
            shown[at] = quoted(&with_variable(&line.words[at], &digits)?);
            return Some(Self { port, with_variable: shown.join(" ") });
        }
        // The word that is the number, or else ends in it.
        let is = |word: &&mut String| **word == digits;
        let ends = |word: &&mut String| {
            let before = word.strip_suffix(&digits).and_then(|rest| rest.chars().next_back());
            before.is_some_and(|before| !before.is_ascii_alphanumeric()) || word.strip_suffix(&digits) == Some("-p")
        };
        let at =
            shown.iter_mut().position(|word| is(&word)).or_else(|| shown.iter_mut().position(|word| ends(&word)))?;
        let word = &mut shown[at];
        word.truncate(word.len() - digits.len());
        word.push_str("$PORT");
        Some(Self { port, with_variable: quoted(&shown.join(" ")) })
    }
}

/// The text of a shell with `$PORT` for the last number of these digits that is a word or the end of one.
fn with_variable(text: &str, digits: &str) -> Option<String> {
    let is_whole = |at: &usize| {
        let before = text[..*at].chars().next_back();
        let after = text[at + digits.len()..].chars().next();
        before.is_none_or(|c| c.is_whitespace() || matches!(c, '=' | ':' | '"'))
            && after.is_none_or(|c| c.is_whitespace() || matches!(c, '"' | ';' | '&' | '|' | ')' | '>'))
    };
    let at = text.rmatch_indices(digits).map(|(at, _)| at).find(is_whole)?;
    Some(format!("{}$PORT{}", &text[..at], &text[at + digits.len()..]))
}

/// Which word is the code that a shell is given to run: `sh -c CODE`.
fn shell_code(words: &[String], shape: &CommandShape) -> Option<usize> {
    let is_shell = shape.is_interpreter && shape.kind == ProcessType::Bash && shape.script.is_none();
    let at = shape.arguments.checked_sub(1).filter(|at| is_shell && *at >= 2)?;
    let option = words.get(at - 1)?.strip_prefix('-')?;
    (!option.starts_with('-') && option.contains('c')).then_some(at)
}

/// A port from its digits: 1 to 65535, no sign, no spaces.
#[must_use]
pub fn number(digits: &str) -> Option<u16> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|port| plain && *port != 0)
}

/// What a flag is called that says where to listen, as `host:port`.
const BIND_FLAGS: [&str; 17] = [
    "-S",
    "--urls",
    "-b",
    "-l",
    "--bind",
    "--listen",
    "--addr",
    "--address",
    "--host",
    "--http",
    "--http-addr",
    "--bind-addr",
    "--bind-address",
    "--listen-address",
    "--http-address",
    "--web.listen-address",
    "-addr",
];

/// What other flags are called whose value is the port.
const PORT_FLAGS: [&str; 10] = [
    "-port",
    "--http-port",
    "-http-port",
    "--server-port",
    "--web-port",
    "--listen-port",
    "--http.port",
    "--server.port",
    "--listen",
    "-l",
];

/// Where everyone listens and no one is called.
const EVERYWHERE: [&str; 4] = ["0.0.0.0", "[::]", "::", "*"];

/// The port that a command line gives away, and in which form.
///
/// Of the code for a shell (`sh -c CODE`) the last command counts. Forms: `PORT=N`, `--port N` and flags like it, `-p N`, `-pN`, `-Dserver.port=N`, `:N` and `0.0.0.0:N` as a whole word, `host:N`
/// after a flag that says where to listen or after `runserver`, and a last word from 1024 to 65535 behind an interpreter's script or module, or such a number with only options behind it. Nothing inside a URL counts.
#[must_use]
pub fn guess(words: &[String], shape: &CommandShape) -> Option<(u16, &'static str)> {
    if let Some(at) = shell_code(words, shape) {
        let words = CommandLine::of_text(&words[at]).ok()?.words;
        let shape = detect(&words);
        // A shell that runs a shell is not looked into any further.
        return if shell_code(&words, &shape).is_some() { None } else { guess(&words, &shape) };
    }
    from_assignment(words)
        .map(|port| (port, "PORT=N"))
        .or_else(|| from_flag(words, "--port").map(|port| (port, "--port N")))
        .or_else(|| from_flag(words, "-p").map(|port| (port, "-p N")))
        .or_else(|| from_attached(words).map(|port| (port, "-pN")))
        .or_else(|| from_property(words).map(|port| (port, "server.port=N")))
        .or_else(|| from_other_flag(words))
        .or_else(|| words.iter().find_map(|word| number(word.strip_prefix(':')?)).map(|port| (port, ":N")))
        .or_else(|| from_bind_address(words).or_else(|| from_place(words)).map(|port| (port, "host:N")))
        .or_else(|| from_last_argument(words, shape).map(|port| (port, "the last word")))
}

fn from_assignment(words: &[String]) -> Option<u16> {
    words.iter().find_map(|word| number(word.strip_prefix("PORT=")?))
}

/// The value of a flag, in the next word or behind `=`.
fn from_flag(words: &[String], flag: &str) -> Option<u16> {
    words.iter().enumerate().find_map(|(at, word)| match word.strip_prefix(flag)? {
        "" => number(words.get(at + 1)?),
        rest => number(rest.strip_prefix('=')?),
    })
}

/// `-p3000`, where that is no password.
fn from_attached(words: &[String]) -> Option<u16> {
    let (at, port) = words.iter().enumerate().find_map(|(at, word)| Some((at, number(word.strip_prefix("-p")?)?)))?;
    redact::redact(words).get(at).is_some_and(|shown| *shown == words[at]).then_some(port)
}

fn from_other_flag(words: &[String]) -> Option<(u16, &'static str)> {
    // Small numbers behind `-l` are levels.
    PORT_FLAGS
        .iter()
        .find_map(|flag| Some((from_flag(words, flag).filter(|port| *flag != "-l" || *port >= 1024)?, *flag)))
}

/// `0.0.0.0:8000`, and any `host:8000` of Django's `runserver`.
fn from_place(words: &[String]) -> Option<u16> {
    let runs = words.iter().position(|word| word == "runserver").unwrap_or(words.len());
    words.iter().enumerate().find_map(|(at, word)| {
        let (host, port) = word.rsplit_once(':')?;
        number(port).filter(|_| EVERYWHERE.contains(&host) || at > runs && !host.contains(['/', '=']))
    })
}

/// Properties by which frameworks for Java are given their port, behind `--` or `-D`.
const PROPERTIES: [&str; 4] = ["server.port", "http.port", "quarkus.http.port", "micronaut.server.port"];

fn from_property(words: &[String]) -> Option<u16> {
    words.iter().find_map(|word| {
        let word = word.rfind("--server.port=").map_or(word.as_str(), |at| &word[at..]);
        let (key, value) = ["--", "-D", "-E"].iter().find_map(|begin| word.strip_prefix(begin))?.split_once('=')?;
        number(value).filter(|_| PROPERTIES.contains(&key))
    })
}

fn from_bind_address(words: &[String]) -> Option<u16> {
    words.iter().enumerate().find_map(|(at, word)| {
        // `-b0.0.0.0:8000`
        let attached =
            ["-b", "-l", "-S"].iter().find(|flag| word.strip_prefix(**flag).is_some_and(|it| it.contains(':')));
        let (flag, value) = match (attached, word.split_once('=')) {
            (Some(flag), _) => (*flag, &word[2..]),
            (None, Some((flag, value))) => (flag, value),
            (None, None) => (word.as_str(), words.get(at + 1)?.as_str()),
        };
        // `-b tcp://0.0.0.0:3000` of puma, `--urls http://+:5000` of ASP.NET.
        let value = value.strip_prefix("tcp://").unwrap_or(value);
        let value = if flag == "--urls" { value.split_once("://").map_or(value, |(_, host)| host) } else { value };
        if !BIND_FLAGS.contains(&flag) || value.contains("://") {
            return None;
        }
        number(value.rsplit_once(':')?.1)
    })
}

fn from_last_argument(words: &[String], shape: &CommandShape) -> Option<u16> {
    if shape.script.is_none() && shape.module.is_none() || words.len() <= shape.arguments {
        return None;
    }
    let unprivileged = |word: &String| number(word).filter(|port| *port >= 1024);
    let arguments = words.get(shape.arguments..)?;
    // Options may follow the number: `-m http.server 8000 --bind 127.0.0.1`.
    if let [first, option, ..] = arguments
        && option.starts_with('-')
    {
        return unprivileged(first);
    }
    let (last, before) = arguments.split_last()?;
    // The value of some other option is not a place to listen on.
    let is_value = before.last().is_some_and(|word| word.starts_with('-'));
    unprivileged(last).filter(|_| !is_value)
}

#[cfg(test)]
mod tests {
    use super::super::detect::detect;
    use super::*;

    #[test]
    fn a_wish_is_a_number_or_a_number_with_a_plus() {
        assert_eq!("3000".parse(), Ok(PortSpec::Exact(3000)));
        assert_eq!("3000+".parse(), Ok(PortSpec::AtLeast(3000)));
        assert_eq!("auto".parse(), Ok(PortSpec::AtLeast(8000)));
        assert_eq!("none".parse(), Ok(PortSpec::None));
        for given in ["1", "1023", "65535"] {
            assert!(given.parse::<PortSpec>().is_ok(), "{given}");
        }
        for given in ["", "0", "nothing", "65536", "99999999999", "-1", "+5", "80 ", "http", "3000++", "٣٠٠٠"] {
            assert!(given.parse::<PortSpec>().is_err(), "{given:?}");
        }
    }

    #[test]
    fn the_command_line_gives_a_port_away() {
        for (line, port) in [
            ("python -m http.server 8000", Some(8000)),
            ("python server.py 9000", Some(9000)),
            ("python -m http.server 8000 --bind 127.0.0.1", Some(8000)),
            ("node resize.js 1024 768", None),
            ("node app.js --x 1 3000", Some(3000)),
            ("node app.js 3000", Some(3000)),
            ("./serve.sh 4000", Some(4000)),
            ("node app.js 1023", None),
            ("node app.js 65536", None),
            ("sleep 3000", None),
            ("python -c code 3000", None),
            ("node --max-old-space-size 4096", None),
            ("node app.js --workers 4000", None),
            ("node app.js --port 80", Some(80)),
            ("node app.js --port=8081", Some(8081)),
            ("rails s -p 3001", Some(3001)),
            ("docker run -p 8080:80 x", None),
            ("env PORT=4001 ./x", Some(4001)),
            ("caddy file-server --listen :2015", Some(2015)),
            ("gunicorn -b 0.0.0.0:8001 app", Some(8001)),
            ("serve --listen=tcp:127.0.0.1:7000", Some(7000)),
            ("x --bind [::1]:7001", Some(7001)),
            ("x :9090", Some(9090)),
            ("curl http://localhost:9999/x", None),
            ("x --listen http://h:9999", None),
            ("php -S 127.0.0.1:8123 -t public", Some(8123)),
            ("bin/rails s -b tcp://0.0.0.0:3011", Some(3011)),
            ("dotnet app.dll --urls http://+:5005", Some(5005)),
            ("java -jar x.jar --server.port=8090", Some(8090)),
            ("java -Dserver.port=8091 -jar x.jar --db.port=5432", Some(8091)),
            ("java -Dspring.redis.port=6379 -jar x.jar", None),
            ("x --upstream http://h:9999", None),
            ("x h:9999", None),
            ("node app.js http://localhost:3000", None),
            ("node app.js --port abc", None),
            ("python manage.py runserver 0.0.0.0:8001", Some(8001)),
            ("python manage.py runserver --noreload localhost:8001", Some(8001)),
            ("python app.py --redis h:6379 localhost:6379", None),
            ("bundle exec rails s -p3997", Some(3997)),
            ("mysql -u root -p3306 shop", None),
            ("docker run -p8080:80 x", None),
            ("serve -s build -l 3001", Some(3001)),
            ("celery worker -l 10", None),
            ("gunicorn -b0.0.0.0:8002 app", Some(8002)),
            ("gunicorn -b :8003 app", Some(8003)),
            ("code-server --bind-addr 127.0.0.1:8083", Some(8083)),
            ("streamlit run app.py --server.port 8502", Some(8502)),
            ("kc.sh start --http-port=8180", Some(8180)),
            ("./api -port 9001", Some(9001)),
            ("elasticsearch -Ehttp.port=9201", Some(9201)),
            ("mvn spring-boot:run -Dspring-boot.run.arguments=--server.port=8085", Some(8085)),
            ("x -l debug --listen-backlog 2048", None),
            ("sh -c 'python3 -m http.server 8000'", Some(8000)),
            ("bash -lc 'cd /srv && exec node app.js --port 3007 >log'", Some(3007)),
            ("sh -c 'sleep 3000'", None),
            ("sh -c './x.sh \"$1\"' name 4000", None),
            ("bash -c 'sh -c \"node app.js 4000\"'", None),
            ("bash -l", None),
        ] {
            let words = shlex::split(line).expect("words");
            assert_eq!(guess(&words, &detect(&words)).map(|(port, _)| port), port, "{line}");
        }
    }

    #[test]
    fn the_line_with_the_variable_loses_nothing() {
        for (line, expected) in [
            ("python3 -m http.server 8001", Some("'python3 -m http.server $PORT'")),
            ("cd /srv; A=1 node app.js 8001 > log.8001", Some("'cd /srv; A=1 node app.js $PORT > log.8001'")),
            ("exec php -S 127.0.0.1:8001", Some("'exec php -S 127.0.0.1:$PORT'")),
            ("sh -c 'cd /srv && node app.js --port=8001'", Some("sh -c 'cd /srv && node app.js --port=$PORT'")),
            ("sh -c 'sleep 8001'", None),
            ("rails s -p8001", Some("'rails s -p$PORT'")),
            ("python manage.py runserver 0.0.0.0:8001", Some("'python manage.py runserver 0.0.0.0:$PORT'")),
        ] {
            let line = CommandLine::of_text(line).expect("words");
            let own = OwnPort::of(&line, &detect(&line.words));
            assert_eq!(own.map(|own| own.with_variable).as_deref(), expected, "{line:?}");
        }
    }

    #[test]
    fn the_earlier_form_wins() {
        let words = shlex::split("node app.js --port 3001 :3002 3003").expect("words");
        assert_eq!(guess(&words, &detect(&words)), Some((3001, "--port N")));
    }
}
