//! The console: a terminal, a pipe, a file, or memory in a test.

mod paging;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;

use super::answer;
use super::fault;
use super::frame;
use super::progress::{self, ProgressRows, ProgressScreen};
use super::render::{self, Chunk, OutputTarget};
use super::streams::Streams;
use super::style::{self, Styler};
use super::table::RenderOptions;
use crate::base::fault::{Fault, FaultKind};
use crate::base::time::HumanDuration;
use crate::report::theme::Theme;
use crate::report::{
    Block, Color, Console, FollowUp, OutputOptions, Question, Reader, Report, Row, RowStream, TargetState, UserAnswer,
    json,
};

/// The width of help texts without a terminal, in columns; tables are not truncated there.
const DEFAULT_WIDTH: usize = 100;

/// The most bytes of rows that wait to be written.
const MAX_PENDING: usize = 64 * 1024;

/// The console of the process.
#[derive(Clone)]
pub struct Terminal {
    streams: Streams,
    variables: Rc<BTreeMap<String, String>>,
    zone: TimeZone,
    json: bool,
    quiet: bool,
    unpaged: bool,
    plain: bool,
    reader: Option<Reader>,
    color: Color,
    theme: Theme,
    progress: ProgressRows,
    answer_limit: Option<Duration>,
    /// A question stayed open for that long; of all consoles that were made of one.
    left_alone: Rc<Cell<bool>>,
}

impl Terminal {
    /// A console over the streams. It reads `NO_COLOR`, `CLICOLOR_FORCE`, `TERM` and `COLUMNS` of the variables.
    #[must_use]
    pub fn new(streams: Streams, variables: &BTreeMap<String, String>, zone: TimeZone) -> Self {
        Self {
            streams,
            variables: Rc::new(variables.clone()),
            zone,
            json: false,
            quiet: false,
            unpaged: false,
            plain: false,
            reader: None,
            color: Color::Auto,
            theme: Theme::default(),
            progress: ProgressRows::default(),
            answer_limit: None,
            left_alone: Rc::default(),
        }
    }

    /// The same console with other output options; unset options keep their value.
    #[must_use]
    pub fn with(&self, options: &OutputOptions) -> Self {
        let mut other = self.clone();
        other.json |= options.json;
        other.quiet |= options.quiet;
        other.unpaged |= options.unpaged;
        other.plain |= options.plain;
        other.color = options.color.unwrap_or(self.color);
        if other.plain && other.color == Color::Auto {
            other.color = Color::Never;
        }
        other.theme = options.theme.unwrap_or(self.theme);
        other.answer_limit = options.answer_limit.or(self.answer_limit);
        other
    }

    /// The styler of standard output.
    #[must_use]
    pub fn output_styler(&self) -> Styler {
        style::choose_styler(self.color, &self.variables, self.streams.output_is_terminal).themed(self.theme)
    }

    /// The styler of standard error.
    #[must_use]
    pub fn stderr_styler(&self) -> Styler {
        style::choose_styler(self.color, &self.variables, self.streams.stderr_is_terminal).themed(self.theme)
    }

    /// The width of the terminal: as it reports, else `COLUMNS`.
    fn terminal_width(&self) -> Option<usize> {
        let variable = || self.variables.get("COLUMNS")?.parse().ok();
        (self.streams.size.width)().or_else(variable).filter(|width| *width > 0)
    }

    fn render_options(&self) -> RenderOptions {
        let width = self.terminal_width().filter(|_| self.streams.output_is_terminal);
        RenderOptions { width, styler: self.output_styler(), zone: self.zone.clone() }
    }

    fn target(&self) -> OutputTarget {
        match self.reader {
            Some(Reader::Program) => OutputTarget::Program,
            _ if self.streams.output_is_terminal => OutputTarget::Terminal,
            _ => OutputTarget::NotTerminal,
        }
    }

    /// Where rows can be drawn again in place; none where they cannot.
    fn progress_screen(&self) -> Option<ProgressScreen> {
        let height = (self.streams.size.height)().unwrap_or(frame::DEFAULT_HEIGHT);
        self.has_screen().then(|| ProgressScreen { width: self.terminal_width().unwrap_or(DEFAULT_WIDTH), height })
    }

    fn has_screen(&self) -> bool {
        self.streams.stderr_is_terminal && !self.is_dumb()
    }

    fn is_dumb(&self) -> bool {
        self.plain || self.variables.get("TERM").is_none_or(|term| term == "dumb")
    }

    /// Writes and flushes, so that stdout and stderr appear in order.
    fn write(&self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let mut output = self.streams.output.borrow_mut();
        output.write_all(bytes.as_ref())?;
        output.flush()
    }

    /// A failure to write to stderr is ignored: there is nowhere to report it.
    fn write_stderr(&self, text: &str) {
        let mut stderr = self.streams.stderr.borrow_mut();
        let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
    }

    fn write_note(&self, text: &str) {
        let text = if self.json { json::note(text) } else { render::line(text) };
        self.write_stderr(if self.quiet { "" } else { &text });
    }

    fn write_fault(&self, fault: &Fault) {
        if self.json {
            self.write_stderr(&format!("{}\n", json::fault(fault)));
        } else {
            let width = self.terminal_width().filter(|_| self.streams.stderr_is_terminal);
            self.write_stderr(&fault::render(fault, width, self.stderr_styler()));
        }
    }

    /// Ctrl-C leaves the cursor behind the `^C` that the terminal shows; what is said of it begins on a line of its own.
    fn leave_line_of_interruption(&mut self, faults: &[Fault]) {
        let is_cleared = self.progress.take_cleared();
        let is_interrupted = faults.iter().any(|fault| fault.kind == FaultKind::Interrupted);
        if is_interrupted && !is_cleared && !self.json && self.streams.stderr_is_terminal {
            self.write_stderr("\n");
        }
    }

    fn show_text(&self, blocks: Vec<Block>, faults: &mut Vec<Fault>) -> io::Result<()> {
        if self.show_paged(&blocks)? {
            return Ok(());
        }
        let options = self.render_options();
        for block in blocks {
            match render::block(&block, &options, self.target()) {
                Some(Chunk::Output(bytes)) => self.write(bytes)?,
                Some(Chunk::Stderr(text)) if self.quiet => drop(text),
                Some(Chunk::Stderr(text)) => self.write_stderr(&text),
                None => self.show_rows(block, faults, |row| match row.raw() {
                    Some(_) => Chunk::Output(render::row(row, options.styler, self.target())),
                    None if self.quiet => Chunk::Output(Vec::new()),
                    None => Chunk::Stderr(render::line(&row.text())),
                })?,
            }
        }
        Ok(())
    }

    fn show_json(&self, report: &mut Report, faults: &mut Vec<Fault>) -> io::Result<()> {
        let follows = report.blocks.iter().any(|block| matches!(block, Block::RowStream(_)));
        let only_leads_on = report.blocks.is_empty() && !matches!(report.follow_up, FollowUp::Nothing);
        if !follows && !only_leads_on {
            let data: Vec<_> = report.blocks.iter().filter_map(json::block).collect();
            return self.show_document(&format!("{}\n", json::document(&data, report.json_shape)));
        }
        for block in std::mem::take(&mut report.blocks) {
            if let Some(data) = json::block(&block) {
                self.write(format!("{data}\n"))?;
            }
            self.show_rows(block, faults, |row| Chunk::Output(format!("{}\n", json::row(row)).into_bytes()))?;
        }
        Ok(())
    }

    /// Writes rows as they arrive; the first failure ends it. What is there is written at once before a wait, not row by row.
    fn show_rows(&self, block: Block, faults: &mut Vec<Fault>, render: impl Fn(&dyn Row) -> Chunk) -> io::Result<()> {
        let Block::RowStream(RowStream { mut rows }) = block else { return Ok(()) };
        let mut pending = Vec::new();
        loop {
            if !pending.is_empty() && (pending.len() >= MAX_PENDING || !rows.is_ready()) {
                self.write(std::mem::take(&mut pending))?;
            }
            match rows.next() {
                Some(Ok(row)) => match render(&*row) {
                    Chunk::Output(bytes) => pending.extend(bytes),
                    Chunk::Stderr(text) => {
                        if !pending.is_empty() {
                            self.write(std::mem::take(&mut pending))?;
                        }
                        self.write_stderr(&text);
                    }
                },
                Some(Err(fault)) => {
                    faults.push(fault);
                    break;
                }
                None => break,
            }
        }
        if pending.is_empty() { Ok(()) } else { self.write(pending) }
    }
}

impl Console for Terminal {
    fn show(&mut self, mut report: Report) -> io::Result<()> {
        let mut faults = std::mem::take(&mut report.faults);
        self.leave_line_of_interruption(&faults);
        // What became of it is said also where the reader of the output is gone.
        let shown = if self.json {
            self.show_json(&mut report, &mut faults)
        } else {
            self.show_text(std::mem::take(&mut report.blocks), &mut faults)
        };
        report.sentence.iter().for_each(|sentence| self.write_note(sentence));
        faults.iter().for_each(|fault| self.write_fault(fault));
        shown
    }

    fn error(&mut self, fault: &Fault) {
        self.leave_line_of_interruption(std::slice::from_ref(fault));
        self.write_fault(fault);
    }

    fn note(&mut self, text: &str) {
        self.write_note(text);
    }

    fn progress(&mut self, targets: &[TargetState], changed: Option<usize>) {
        if self.quiet {
            return;
        }
        let screen = self.progress_screen();
        let changed = changed.and_then(|index| targets.get(index));
        let text = if self.json { progress::json(changed) } else { self.progress.show(targets, changed, screen) };
        self.write_stderr(&text);
    }

    fn waiting(&mut self, text: &str) {
        match self.progress_screen().filter(|_| !self.json && !self.quiet) {
            Some(screen) => {
                let text = self.progress.show_line(text, screen);
                self.write_stderr(&text);
            }
            None => self.write_note(text),
        }
    }

    fn end_progress(&mut self) {
        let erased = self.progress.erase();
        self.write_stderr(&erased);
    }

    fn is_interactive(&self) -> bool {
        self.streams.answer_source.is_some_and(|answers| (answers.exists)())
    }

    fn ask(&mut self, question: &Question) -> UserAnswer {
        let asked_at = Instant::now();
        let limit = self.answer_limit.unwrap_or(Duration::MAX);
        if let Some(answer) = self.ask_while(question, &mut || asked_at.elapsed() < limit) {
            return answer;
        }
        self.left_alone.set(true);
        self.write_note(&format!("no answer for {}, which is taken for a no", HumanDuration(limit)));
        UserAnswer::No
    }

    fn take_left_alone(&mut self) -> bool {
        self.left_alone.take()
    }

    fn ask_while(&mut self, question: &Question, is_open: &mut dyn FnMut() -> bool) -> Option<UserAnswer> {
        let Some(source) = self.streams.answer_source else { return Some(UserAnswer::NotInteractive) };
        answer::ask(source, question, is_open, self.has_screen(), |text| self.write_stderr(text))
    }

    fn width(&self) -> usize {
        self.render_options().width.unwrap_or(DEFAULT_WIDTH)
    }

    fn is_terminal(&self) -> bool {
        self.streams.output_is_terminal
    }

    fn zone(&self) -> TimeZone {
        self.zone.clone()
    }

    fn clear(&mut self) {
        if self.streams.output_is_terminal && !self.is_dumb() && !self.json {
            // The next output reports an error.
            let _ = self.write("\x1b[H\x1b[2J");
        }
    }

    fn show_frame(&mut self, title: &str, frame: &[u8], before: Option<&[u8]>) -> io::Result<()> {
        if !self.streams.output_is_terminal || self.is_dumb() || self.json {
            return self.write(frame);
        }
        let rows = (self.streams.size.height)().unwrap_or(frame::DEFAULT_HEIGHT);
        self.write(frame::screen(title, frame, before, self.width(), rows))
    }

    fn is_recorded(&self) -> bool {
        self.reader == Some(Reader::Operator)
    }

    fn to_sink(&self, sink: Box<dyn Write>, reader: Reader) -> Box<dyn Console> {
        let mut other = self.clone();
        other.streams.output = Rc::new(RefCell::new(sink));
        other.reader = Some(reader);
        if reader == Reader::Operator {
            other.streams.stderr = Rc::clone(&other.streams.output);
            other.streams.stderr_is_terminal = other.streams.output_is_terminal;
            other.streams.answer_source = None;
        } else {
            other.streams.output_is_terminal = false;
        }
        Box::new(other)
    }

    fn with_options(&self, look: &OutputOptions) -> Box<dyn Console> {
        Box::new(self.with(look))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read};
    use std::time::Duration;

    use super::*;
    use crate::base::fault::FaultKind;
    use crate::report::{Cell, Fields, Message, Table};
    use crate::ui::streams::{AnswerSource, TerminalSize};

    /// Streams into memory, and their content.
    struct Recorder {
        output: Rc<RefCell<Vec<u8>>>,
        stderr: Rc<RefCell<Vec<u8>>>,
        streams: Streams,
    }

    impl Recorder {
        fn new(is_terminal: bool) -> Self {
            let (output, stderr) = (Rc::new(RefCell::new(Vec::new())), Rc::new(RefCell::new(Vec::new())));
            let streams = Streams {
                output: output.clone(),
                stderr: stderr.clone(),
                answer_source: None,
                output_is_terminal: is_terminal,
                stderr_is_terminal: is_terminal,
                size: TerminalSize { width: || Some(40), height: || Some(5) },
                pager: None,
            };
            Self { output, stderr, streams }
        }

        fn terminal(&self) -> Terminal {
            let variables = [("TERM".to_owned(), "xterm".to_owned())].into();
            Terminal::new(self.streams.clone(), &variables, TimeZone::UTC)
        }

        fn written(&self) -> (String, String) {
            let text = |bytes: &Rc<RefCell<Vec<u8>>>| String::from_utf8(bytes.borrow().clone()).expect("text");
            (text(&self.output), text(&self.stderr))
        }
    }

    fn json() -> OutputOptions {
        OutputOptions { json: true, ..OutputOptions::default() }
    }

    fn rows(rows: Vec<Result<Message, Fault>>) -> RowStream {
        RowStream::of(rows.into_iter().map(|row| row.map(|row| Box::new(row) as Box<dyn Row>)))
    }

    #[test]
    fn data_goes_out_and_talk_beside_it() {
        let recorder = Recorder::new(false);
        let mut report = Report::of(Message::new("api is up")).note("2 stopped: `tsm list all`");
        report.faults.push(Fault::new(FaultKind::NotFound, "no process is called `web`"));
        recorder.terminal().show(report).expect("memory takes everything");
        let stderr = "2 stopped: `tsm list all`\nerror: no process is called `web`\n";
        assert_eq!(recorder.written(), ("api is up\n".into(), stderr.into()));
    }

    #[test]
    fn quiet_drops_notes_but_never_faults() {
        let recorder = Recorder::new(false);
        let mut terminal = recorder.terminal().with(&OutputOptions { quiet: true, ..OutputOptions::default() });
        terminal.note("working");
        terminal.show(Report::of(Message::new("done")).note("more")).expect("memory takes everything");
        terminal.error(&Fault::usage("no"));
        assert_eq!(recorder.written(), ("done\n".into(), "error: no\n".into()));
    }

    #[test]
    fn json_is_one_document_and_faults_are_json_too() {
        let recorder = Recorder::new(false);
        let mut table = Table::new(&[("pid", "PID"), ("up", "UP")]);
        table.row(vec![12_i64.into(), Duration::from_millis(2500).into()]);
        let mut report = Report::of(table).note("talk");
        report.faults.push(Fault::usage("bad"));
        recorder.terminal().with(&json()).show(report).expect("memory takes everything");
        let (output, stderr) = recorder.written();
        assert_eq!(output, "[\n  {\n    \"pid\": 12,\n    \"up\": 2.5\n  }\n]\n");
        assert_eq!(stderr, "{\"error\":{\"kind\":\"usage\",\"message\":\"bad\",\"causes\":[],\"advice\":null}}\n");
    }

    #[test]
    fn a_report_that_says_nothing_is_null_and_one_that_leads_on_is_silent() {
        let recorder = Recorder::new(false);
        let mut terminal = recorder.terminal().with(&json());
        terminal.show(Report::default()).expect("memory takes everything");
        terminal.show(Report::then(FollowUp::Exit(None))).expect("memory takes everything");
        terminal.show(Report::each(Vec::<Fields>::new())).expect("memory takes everything");
        assert_eq!(recorder.written().0, "null\n[]\n");
    }

    #[test]
    fn rows_that_arrive_are_one_object_a_line_until_one_fails() {
        let said = || {
            let row = Message::new("GET /").with("stream", "out");
            rows(vec![Ok(row.clone()), Err(Fault::new(FaultKind::Failed, "the log is gone")), Ok(row)])
        };
        let recorder = Recorder::new(false);
        recorder.terminal().with(&json()).show(Report::of(said())).expect("memory takes everything");
        assert_eq!(recorder.written().0, "{\"stream\":\"out\"}\n");
        recorder.terminal().show(Report::of(said())).expect("memory takes everything");
        let (output, stderr) = recorder.written();
        assert!(output.ends_with("GET /\n") && stderr.ends_with("error: the log is gone\n"), "{output}{stderr}");
    }

    #[test]
    fn a_terminal_gets_colour_and_a_sink_does_not() {
        let recorder = Recorder::new(true);
        let mut table = Table::new(&[("state", "STATE")]);
        table.row(vec![Cell::from("online").tone(crate::report::Tone::Good)]);
        let report = || Report::of(table.clone());
        recorder.terminal().show(report()).expect("memory takes everything");
        assert!(recorder.written().0.contains("\u{1b}[36monline"));

        let sink = Rc::new(RefCell::new(Vec::new()));
        let mut piped = recorder.terminal().to_sink(Box::new(Shared(sink.clone())), Reader::File);
        piped.show(report()).expect("memory takes everything");
        assert_eq!(sink.borrow().as_slice(), b"STATE\nonline\n");
        assert!(!piped.is_terminal());
    }

    struct Shared(Rc<RefCell<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_pipe_ends_even_an_endless_follower() {
        let mut piped = Recorder::new(false).terminal().to_sink(Box::new(Closed), Reader::File);
        let endless = RowStream::of(std::iter::repeat_with(|| Ok(Box::new(Message::new("tick")) as Box<dyn Row>)));
        let ended = piped.show(Report::of(endless)).map_err(|error| error.kind());
        assert_eq!(ended, Err(ErrorKind::BrokenPipe));
    }

    /// Counts the writes.
    #[derive(Clone, Default)]
    struct Counter(Rc<RefCell<(usize, usize)>>);

    impl Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let (writes, count) = &mut *self.0.borrow_mut();
            *writes += 1;
            *count += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Rows of which some are there at once; before each wait it looks at what was written.
    struct Bursts {
        given: usize,
        written: Counter,
    }

    const BURST: usize = 100;

    impl Iterator for Bursts {
        type Item = crate::report::Arrival;

        fn next(&mut self) -> Option<Self::Item> {
            if self.given.is_multiple_of(BURST) {
                assert_eq!(self.written.0.borrow().1, self.given * 5, "all is written before a wait");
            }
            self.given += 1;
            (self.given <= 3 * BURST).then(|| Ok(Message::new("tick").into()))
        }
    }

    impl crate::report::Rows for Bursts {
        fn is_ready(&mut self) -> bool {
            !self.given.is_multiple_of(BURST)
        }
    }

    #[test]
    fn rows_that_are_there_are_written_at_once_before_a_wait() {
        let written = Counter::default();
        let mut piped = Recorder::new(false).terminal().to_sink(Box::new(written.clone()), Reader::Program);
        let rows = Box::new(Bursts { given: 0, written: written.clone() });
        piped.show(Report::of(RowStream { rows })).expect("memory takes everything");
        let (writes, count) = *written.0.borrow();
        assert_eq!(count, 3 * BURST * 5);
        assert!(writes <= 4, "{writes} writes");
    }

    #[test]
    fn only_the_very_answer_is_yes() {
        fn said(text: &'static str) -> io::Result<Box<dyn Read>> {
            Ok(Box::new(text.as_bytes()))
        }
        type Open = fn() -> io::Result<Box<dyn Read>>;
        let answers: [(Open, Option<&str>, UserAnswer); 8] = [
            (|| said("y\n"), None, UserAnswer::Yes),
            (|| said("YES \n"), None, UserAnswer::Yes),
            (|| said("\n"), None, UserAnswer::No),
            (|| said("y"), None, UserAnswer::No),
            (|| said("acme\n"), Some("acme"), UserAnswer::Yes),
            (|| said("y\n"), Some("acme"), UserAnswer::No),
            (|| said("Acme\n"), Some("acme"), UserAnswer::No),
            (|| Err(ErrorKind::NotFound.into()), None, UserAnswer::NotInteractive),
        ];
        for (number, (open, word, expected)) in answers.into_iter().enumerate() {
            let mut recorder = Recorder::new(true);
            recorder.streams.answer_source = Some(AnswerSource { exists: || true, open });
            let ask = Question { text: "stop all of acme?".into(), expected: word.map(Into::into) };
            assert_eq!(recorder.terminal().ask(&ask), expected, "answer {number}");
        }
    }

    #[test]
    fn without_a_terminal_nothing_is_asked() {
        let recorder = Recorder::new(false);
        let ask = Question { text: "sure?".into(), expected: None };
        assert_eq!(recorder.terminal().ask(&ask), UserAnswer::NotInteractive);
        assert_eq!(recorder.written().1, "", "nothing is written");
    }
}
