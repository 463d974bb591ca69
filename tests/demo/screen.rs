//! The run on the terminal: redrawn in place there, one line a change where stdout is a file or a pipe.

use crate::{
    picture::{passed, picture},
    tree::{brief_duration, rows},
};
use anyhow::Result;
use console::{Term, measure_text_width, truncate_str};
use jiff::Timestamp;
use jobwright_api::{StepPhase, Workflow};
use std::{collections::BTreeMap, fmt::Write};

pub(crate) struct Screen {
    term: Term,
    frame: usize,
    /// Widths of the lines that were drawn last.
    drawn: Vec<usize>,
    /// Where stdout is no terminal: what was told of each step.
    told: BTreeMap<String, (StepPhase, u32)>,
}

impl Screen {
    pub(crate) fn new() -> Self {
        Self {
            term: Term::stdout(),
            frame: 0,
            drawn: Vec::new(),
            told: BTreeMap::new(),
        }
    }

    pub(crate) fn show(&mut self, workflow: &Workflow) -> Result<()> {
        let now = Timestamp::now();
        if self.term.is_term() {
            self.frame += 1;
            let columns = usize::from(self.term.size().1);
            self.draw(&picture(workflow, now, columns, self.frame))
        } else {
            self.tell(workflow, now)
        }
    }

    /// Replaces what was drawn before, in one write, so that it does not flicker.
    fn draw(&mut self, lines: &[String]) -> Result<()> {
        let (height, width) = self.term.size();
        let (height, width) = (usize::from(height), usize::from(width).max(1));
        // Lines of a terminal that became narrower take several rows now.
        let above: usize = self.drawn.iter().map(|drawn| drawn.div_ceil(width).max(1)).sum();
        let mut text = String::from("\x1b[?25l\r");
        if above > 0 {
            write!(text, "\x1b[{above}A")?;
        }
        self.drawn.clear();
        for line in lines.iter().take(height.saturating_sub(1)) {
            let line = truncate_str(line, width, "…");
            self.drawn.push(measure_text_width(&line));
            writeln!(text, "{line}\x1b[K")?;
        }
        text.push_str("\x1b[J\x1b[?25h");
        self.term.write_str(&text)?;
        Ok(())
    }

    fn tell(&mut self, workflow: &Workflow, now: Timestamp) -> Result<()> {
        let passed = brief_duration(passed(workflow, now));
        for row in rows(workflow, now) {
            let state = (row.phase, row.attempt);
            let before = self.told.insert(row.name.clone(), state).unwrap_or_default();
            if before != state {
                let line = format!(
                    "{passed:>6}  {}  {}  attempt {}  {}",
                    row.name, row.phase, row.attempt, row.note
                );
                self.term.write_line(line.trim_end())?;
            }
        }
        Ok(())
    }
}
