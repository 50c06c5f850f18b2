//! Standard output, which something else collects: a chain begins with each process.

use std::io::{self, Write};

use super::{
    Appended, Batch,
    chain::{End, Lines, Link},
};

pub struct AuditStream<W> {
    to: W,
    end: End,
}

impl<W: Write> AuditStream<W> {
    pub fn new(to: W) -> Self {
        Self { to, end: End::default() }
    }

    #[cfg(test)]
    pub fn inner(&mut self) -> &mut W {
        &mut self.to
    }

    pub fn append(&mut self, batch: &Batch<'_>) -> Appended {
        let lines = Lines::after(&self.end, batch);
        let (written, failure) = self.write(&lines.bytes);
        if failure.is_none() {
            self.end = End { head: Some(lines.head.clone()), torn: 0, open: false };
            return Appended { lost_is_named: true, lines: lines.into_entries(), failure };
        }
        let whole = lines.each.iter().take_while(|(end, _)| *end <= written).count();
        let lost_is_named = !lines.names_loss || whole > 0;
        self.stopped_at(&lines, whole, written);
        let entries = whole.saturating_sub(usize::from(lines.names_loss));
        let mut lines = lines.into_entries();
        lines.truncate(entries);
        Appended { lines, lost_is_named, failure }
    }

    /// What a batch of which only a part was taken leaves for the next one.
    fn stopped_at(&mut self, lines: &Lines, whole: usize, written: usize) {
        if let Some((end, line)) = whole.checked_sub(1).and_then(|last| lines.each.get(last)) {
            let head = Link::read(&line.bytes).map(|link| link.head());
            self.end = End { head, torn: (written - end) as u64, open: written > *end };
            return;
        }
        // It begins with the end of the line before.
        let rest = written.saturating_sub(usize::from(self.end.open));
        self.end.open = self.end.open && written == 0;
        if rest > 0 {
            let line_before = u64::from(self.end.torn > 0);
            self.end.torn += line_before + rest as u64;
            self.end.open = true;
        }
    }

    fn write(&mut self, bytes: &[u8]) -> (usize, Option<io::Error>) {
        let mut written = 0;
        while written < bytes.len() {
            match self.to.write(&bytes[written..]) {
                Ok(0) => return (written, Some(io::ErrorKind::WriteZero.into())),
                Ok(more) => written += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return (written, Some(error)),
            }
        }
        (written, self.to.flush().err())
    }
}
