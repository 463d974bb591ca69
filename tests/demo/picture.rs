//! What the terminal shows of a run: a headline, a row for each step, and what is in the way.

use crate::tree::{Row, brief_duration, rows};
use console::{Style, measure_text_width, truncate_str};
use jiff::{SignedDuration, Timestamp};
use jobwright_api::{StepPhase, Workflow};

const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
/// Longer names are cut: phase, attempt and time must fit beside them.
const NAME_WIDTH_MAX: usize = 24;
/// A message may have 1 KiB.
const TROUBLE_LINES_MAX: usize = 6;
/// Where the names of steps begin.
const INDENT: &str = "      ";

/// `columns` is the width of the terminal, `frame` turns the spinners.
pub(crate) fn picture(workflow: &Workflow, now: Timestamp, columns: usize, frame: usize) -> Vec<String> {
    let rows = rows(workflow, now);
    let longest = rows
        .iter()
        .map(|row| measure_text_width(&row.name))
        .max()
        .unwrap_or_default();
    let width = longest.clamp(4, NAME_WIDTH_MAX);
    let heading = format!(
        "{INDENT}{:<width$}  {:<10}  {:>3}  {:>6}  {}",
        "step", "phase", "try", "time", "result"
    );
    let mut lines = vec![Style::new().bold().apply_to(headline(workflow, now)).to_string()];
    lines.push(Style::new().dim().apply_to(heading).to_string());
    lines.extend(rows.iter().map(|row| line(row, width, frame)));
    lines.extend(trouble(&rows, columns));
    lines
}

/// The words in full of the first step that does not go on: its row has no room for them.
fn trouble(rows: &[Row], columns: usize) -> Vec<String> {
    let stuck = rows
        .iter()
        .find(|row| row.phase != StepPhase::Succeeded && !row.note.is_empty());
    let Some(row) = stuck else { return Vec::new() };
    let width = columns.saturating_sub(INDENT.len()).max(20);
    let mut lines = vec![String::new()];
    for word in format!("{}: {}", row.name, row.note).split_whitespace() {
        match lines.last_mut() {
            Some(line) if measure_text_width(line) + measure_text_width(word) < width => {
                line.push_str(if line.is_empty() { "" } else { " " });
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.truncate(TROUBLE_LINES_MAX);
    let yellow = Style::new().yellow();
    lines
        .iter()
        .map(|line| format!("{INDENT}{}", yellow.apply_to(line)))
        .collect()
}

fn line(row: &Row, width: usize, frame: usize) -> String {
    let (symbol, style) = match row.phase {
        StepPhase::Pending | StepPhase::Unknown => ("·", Style::new().dim()),
        StepPhase::Queued | StepPhase::Scheduled => ("○", Style::new().yellow()),
        StepPhase::BackingOff => ("↻", Style::new().yellow()),
        StepPhase::Running => (
            SPINNER.get(frame % SPINNER.len()).copied().unwrap_or("●"),
            Style::new().cyan(),
        ),
        StepPhase::Succeeded => ("✓", Style::new().green()),
        StepPhase::Failed => ("✗", Style::new().red()),
        StepPhase::Skipped | StepPhase::Cancelled | StepPhase::Omitted => ("–", Style::new().dim()),
    };
    let name = truncate_str(&row.name, width, "…");
    let attempt = if row.attempt == 0 {
        String::new()
    } else {
        row.attempt.to_string()
    };
    let time = row.duration.map(brief_duration).unwrap_or_default();
    let dim = Style::new().dim();
    format!(
        "{}{} {name:<width$}  {}  {attempt:>3}  {time:>6}  {}",
        dim.apply_to(row.branch),
        style.apply_to(symbol),
        style.apply_to(format!("{:<10}", row.phase.to_string())),
        if row.phase == StepPhase::Succeeded {
            dim.apply_to(&row.note)
        } else {
            style.apply_to(&row.note)
        },
    )
}

/// `wordcount  Running  3/7  4.2s  message`.
fn headline(workflow: &Workflow, now: Timestamp) -> String {
    let name = workflow.metadata.name.as_deref().unwrap_or_default();
    let Some(status) = &workflow.status else {
        return format!("{name}  waits for the operator");
    };
    let phase = status.phase.unwrap_or_default();
    let progress = status
        .progress
        .as_ref()
        .map_or("", |progress| progress.summary.as_str());
    let message = status
        .message
        .as_deref()
        .unwrap_or_default()
        .replace(char::is_control, " ");
    format!(
        "{name}  {phase}  {progress}  {}  {message}",
        brief_duration(passed(workflow, now))
    )
}

pub(crate) fn passed(workflow: &Workflow, now: Timestamp) -> SignedDuration {
    let status = workflow.status.as_ref();
    let begun = status
        .and_then(|status| status.started_at.as_ref())
        .map_or(now, |time| time.0);
    let ended = status
        .and_then(|status| status.finished_at.as_ref())
        .map_or(now, |time| time.0);
    ended.duration_since(begun).max(SignedDuration::ZERO)
}
