//! Random keys at the prompt: whatever is typed, pasted, reported and resized, it does not panic, and it leaves the terminal in
//! order. The session is read-only and finds no programs, so that nothing it may happen to run has an effect.

use std::ops::RangeInclusive;
use std::sync::Mutex;

use crate::pty::{Terminal, TestHome};
use crate::random::Rng;

const SEEDS: RangeInclusive<u64> = 1..=60;
const EVENTS: u64 = 400;

/// One session, or as many as are wanted: `TETRA_TEST_SEEDS=32` or `TETRA_TEST_SEEDS=1-1000 cargo test random_keys`.
const SEEDS_VARIABLE: &str = "TETRA_TEST_SEEDS";

/// How many sessions run at the same time: they wait for their terminals most of the time.
const WORKERS: usize = 4;

/// What is sent: text, keys, broken and complete answers of a terminal, pastes.
const KEYS: &[&str] = &[
    "a",
    "b",
    "t",
    "s",
    "m",
    " ",
    " ",
    "-",
    "--",
    "'",
    "\"",
    "\\",
    "|",
    ";",
    ">",
    "&&",
    "!",
    "!1",
    "@",
    "$",
    "?",
    "~",
    "#",
    "/",
    "tsm ",
    "org ",
    "list",
    "logs ",
    "use @",
    "help ",
    "set ",
    "history ",
    "ä",
    "日本",
    "e\u{301}",
    "👩\u{200d}🚀",
    "\u{202e}",
    "\t",
    "\t",
    "\t",
    "\x1b[Z",
    "\r",
    "\r",
    "\x1b\r",
    "\x1b[A",
    "\x1b[B",
    "\x1b[C",
    "\x1b[D",
    "\x1b[H",
    "\x1b[F",
    "\x1b[3~",
    "\x1b[5~",
    "\x1b[6~",
    "\x7f",
    "\x08",
    "\x01",
    "\x02",
    "\x05",
    "\x06",
    "\x0b",
    "\x0c",
    "\x0e",
    "\x0f",
    "\x10",
    "\x12",
    "\x12",
    "\x14",
    "\x15",
    "\x17",
    "\x18\x05",
    "\x19",
    "\x1a",
    "\x07",
    "\x03",
    "\x03",
    "\x1b",
    "\x1br",
    "\x1bb",
    "\x1bf",
    "\x1bd",
    "\x1b[1;5C",
    "\x1b[1;5D",
    "\x1bOP",
    "\x1b[5;7R",
    "\x1b[1;1R",
    "\x1b[999;999R",
    "\x1b[;R",
    "\x1b[",
    "\x1b[?",
    "\x1b[<0;",
    "\x1b[200~",
    "\x1b[?1;2c",
    "\x1b[?62n",
    "\x1b]0;x\x07",
    "\x1b[200~tsm list\nhelp\x1b[201~",
    "\x1b[200~a\x1b[2J\x07b\x1b[201~",
    "\x1b[I",
    "\x1b[O",
    "\x1b[<0;3;3M",
];

const SIZES: [(u16, u16); 6] = [(24, 100), (24, 80), (5, 20), (2, 9), (50, 200), (10, 40)];

fn session(seed: u64) {
    let home = TestHome::new();
    home.write("config/tetra/config.toml", "readonly = true\n");
    crate::repl::stopped(&home, "api", 0);
    let mut command = home.tetra();
    command.env("PATH", home.path("tmp"));
    let mut terminal = Terminal::start(command);
    terminal.wait_line(">");
    let mut rng = Rng::of(seed);
    let mut sent = Vec::new();
    for _ in 0..EVENTS {
        let number = usize::try_from(rng.below(KEYS.len() as u64 + 1)).expect("small");
        match KEYS.get(number) {
            Some(keys) => {
                sent.push(*keys);
                terminal.send(keys);
            }
            None => {
                let (rows, columns) = SIZES[usize::try_from(rng.below(SIZES.len() as u64)).expect("small")];
                terminal.resize(rows, columns);
            }
        }
    }
    terminal.resize(24, 100);
    // The end of a paste and of a sequence, then what ends a menu, a command and a line, until the session ends.
    let mut ended = false;
    for _ in 0..50 {
        // Each by itself: what comes together may be read by the line, by the menu, or by nothing.
        let end = ["\x1b[201~\x03", "\x03", "\x04"];
        if end.iter().any(|keys| terminal.try_send(keys) && terminal.ends_soon()) {
            ended = true;
            break;
        }
    }
    assert!(ended, "seed {seed}: it goes on after {sent:?}\n{}", terminal.contents());
    assert_eq!(terminal.end(), 0, "seed {seed}: {sent:?}\n{}", terminal.contents());
    let bytes = terminal.bytes();
    for word in ["panicked", "internal error", "the editor failed"] {
        assert!(!bytes.contains(word), "seed {seed}: `{word}` after {sent:?}\n{}", terminal.contents());
    }
    assert!(terminal.is_cooked(), "seed {seed}: {sent:?}");
}

fn seeds() -> RangeInclusive<u64> {
    let Ok(text) = std::env::var(SEEDS_VARIABLE) else { return SEEDS };
    let (first, last) = text.split_once('-').unwrap_or((&text, &text));
    let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("{SEEDS_VARIABLE}={text}: not a number"));
    number(first)..=number(last)
}

#[test]
fn no_keys_break_the_prompt() {
    let left = Mutex::new(seeds());
    let next = || left.lock().expect("no session panics while it is held").next();
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(seed) = next() {
                    session(seed);
                }
            });
        }
    });
}
