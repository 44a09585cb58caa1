//! Several runs of lines, each in its own order, as one in the order of time.

use std::collections::VecDeque;
use std::io;
use std::iter::Peekable;

use super::LogLine;

/// Merges runs. The order within a run is kept, whatever its times say (clocks are set back); between runs the line with the
/// earlier time comes first, one without a time at once, and of equal ones that of the earlier run.
#[must_use]
pub fn by_time(runs: Vec<Vec<LogLine>>) -> Vec<LogLine> {
    let mut runs: Vec<VecDeque<LogLine>> = runs.into_iter().map(VecDeque::from).collect();
    if let [run] = &mut runs[..] {
        return std::mem::take(run).into();
    }
    let mut merged = Vec::with_capacity(runs.iter().map(VecDeque::len).sum());
    loop {
        let next =
            runs.iter_mut().filter(|run| !run.is_empty()).min_by_key(|run| run.front().and_then(|line| line.unix_ns));
        match next.and_then(VecDeque::pop_front) {
            Some(line) => merged.push(line),
            None => return merged,
        }
    }
}

/// The same for lines that are read one by one. What cannot be read is given out at its turn, which is at once.
pub struct MergeStream<I: Iterator> {
    runs: Vec<Peekable<I>>,
}

impl<I: Iterator<Item = io::Result<LogLine>>> MergeStream<I> {
    /// The runs as one.
    #[must_use]
    pub fn of(runs: Vec<I>) -> Self {
        Self { runs: runs.into_iter().map(Iterator::peekable).collect() }
    }
}

impl<I: Iterator<Item = io::Result<LogLine>>> Iterator for MergeStream<I> {
    type Item = io::Result<LogLine>;

    fn next(&mut self) -> Option<Self::Item> {
        let time = |next: &io::Result<LogLine>| next.as_ref().ok().and_then(|line| line.unix_ns);
        let heads = self.runs.iter_mut().enumerate().filter_map(|(run, lines)| Some((time(lines.peek()?), run)));
        let (_, run) = heads.min()?;
        self.runs[run].next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(source: usize, lines: &[(Option<i64>, &str)]) -> Vec<LogLine> {
        let line = |(unix_ns, text): &(Option<i64>, &str)| LogLine {
            source,
            unix_ns: *unix_ns,
            bytes: text.as_bytes().to_vec(),
            complete: true,
            removed_before: 0,
            end: 0,
        };
        lines.iter().map(line).collect()
    }

    fn merged(runs: Vec<Vec<LogLine>>) -> String {
        let texts: Vec<String> =
            by_time(runs).into_iter().map(|line| String::from_utf8_lossy(&line.bytes).into_owned()).collect();
        texts.join(" ")
    }

    #[test]
    fn lines_are_merged_by_time() {
        for (out, err, wanted) in [
            (&[(Some(1), "a"), (Some(3), "c"), (Some(5), "e")][..], &[(Some(2), "b"), (Some(4), "d")][..], "a b c d e"),
            (&[(Some(1), "a"), (Some(1), "b")], &[(Some(1), "c")], "a b c"),
            (&[(None, "a"), (Some(9), "c")], &[(Some(2), "b")], "a b c"),
            // The clock was set back: the order within a stream stays.
            (&[(Some(9), "a"), (Some(1), "b")], &[(Some(2), "c")], "c a b"),
            (&[], &[(Some(1), "a")], "a"),
            (&[], &[], ""),
        ] {
            assert_eq!(merged(vec![run(0, out), run(1, err)]), wanted);
            let one_by_one = [run(0, out), run(1, err)].map(|lines| lines.into_iter().map(Ok));
            let texts: Vec<String> = MergeStream::of(one_by_one.into())
                .map(|line| String::from_utf8_lossy(&line.expect("a line").bytes).into_owned())
                .collect();
            assert_eq!(texts.join(" "), wanted);
        }
    }
}
