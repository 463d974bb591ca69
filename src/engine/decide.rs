//! The decision: a pure function from what is observed to what is to be done.
//!
//! # Guarantees
//! * Replay: the same `Observed` gives the same `Decision`.
//! * Fixpoint: once all actions have taken effect and the status is stored, it wants nothing more.
//! * Order: an action is wanted only when what must be stored before it is in `observed.stored`.
//!
//! # Assumptions
//! `pending` derives from `stored` by earlier decisions only, and `now` does not run backwards by
//! more than the clocks of two operators differ.

use crate::{begin, decision::Decision, draft::Draft, observed::Observed, run::Run, summary};

/// Looks at a Workflow and says what to do next.
#[must_use]
pub fn decide(observed: &Observed<'_>) -> Decision {
    let mut draft = Draft::new(observed);
    if observed.deleting {
        // The garbage collector takes the Jobs; a status nobody will read is not written.
        return draft.finish();
    }
    if begin::is_due(observed) {
        // What is left to do for the Jobs of the last run comes first: the next one does not know them.
        if let Some(graph) = &observed.graph {
            Run::new(observed, graph).settle_jobs(&mut draft);
        }
        if !draft.has_actions() {
            begin::begin(observed, &mut draft);
        }
    } else if let Some(graph) = &observed.graph {
        Run::new(observed, graph).advance(&mut draft);
    }
    summary::complete(observed, &mut draft);
    draft.finish()
}
