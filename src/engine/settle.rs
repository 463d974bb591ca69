//! What is left to do for Jobs once the status says what became of them.

use jobwright_api::{AttemptStatus, StepStatus, status::PathSegment};

use crate::{decision::Action, draft::Draft, id::StepId, observed::JobView, run::Run};

impl<'a> Run<'a> {
    /// What is left to do for Jobs whose result is stored: they get their TTL, those that would never
    /// end are deleted, and so are those that nobody will ever read.
    pub(crate) fn settle_jobs(&self, draft: &mut Draft) {
        if !self.is_begun() {
            return;
        }
        for job in self.jobs().filter(|job| !job.deleting) {
            let is_over = job.complete || job.failed.is_some();
            let needs_ttl = job.ttl_wanted.is_some() && job.ttl_seconds_after_finished.is_none();
            if is_over && !needs_ttl {
                continue; // most are: what they were for need not be looked up
            }
            match self.standing(job) {
                Standing::Recorded if job.suspended && !is_over => stop_job(draft, job),
                // An operator made it that knew less than the one that stored the end.
                Standing::Stray if !is_over => stop_job(draft, job),
                Standing::Recorded | Standing::Stray => {
                    if let Some(ttl_s) = job.ttl_wanted.filter(|_| job.ttl_seconds_after_finished.is_none()) {
                        draft.act(Action::ExpireJob {
                            name: job.name.clone(),
                            uid: job.uid.clone(),
                            ttl_s,
                        });
                    }
                }
                Standing::Awaited => {}
            }
        }
    }

    /// What the stored status says of a Job of this run.
    fn standing(&self, job: &JobView) -> Standing {
        let steps = &self.observed.stored.steps;
        let key = StepId::from(job.path.clone()).to_string();
        if let Some(step) = steps.get(&key) {
            let recent = step.attempts.recent.iter();
            return match recent.into_iter().find(|attempt| attempt.job == job.name) {
                Some(attempt) if attempt.phase.is_terminal() => Standing::Recorded,
                None if job.attempt <= step.attempts.count => Standing::Recorded,
                None if step.phase.is_terminal() => Standing::Stray,
                Some(_) | None => Standing::Awaited,
            };
        }
        // Of an iteration that is folded away, of an item that has not begun: the step around it knows.
        for depth in (1..=job.path.len()).rev() {
            let Some((above, index)) = self.above(&job.path, depth) else {
                continue;
            };
            let opened = above.counts.as_ref().map_or(0, |counts| counts.opened);
            return match index {
                // Of an iteration or item that is sealed.
                Some(index) if index < above.iterations.max(opened) => Standing::Recorded,
                _ if above.phase.is_terminal() => Standing::Stray,
                _ => Standing::Awaited,
            };
        }
        Standing::Awaited
    }

    /// The stored step that a path goes through at this depth, and the iteration that it takes there.
    fn above(&self, path: &[PathSegment], depth: usize) -> Option<(&'a StepStatus, Option<u32>)> {
        let mut path = path.get(..depth)?.to_vec();
        let index = path.last_mut()?.index.take();
        let step = self.observed.stored.steps.get(&StepId::from(path).to_string())?;
        Some((step, index))
    }

    /// The Jobs of this step need nothing further: it may be left out of the status.
    pub(crate) fn is_released(&self, key: &str, step: &StepStatus) -> bool {
        let is_settled = |attempt: &AttemptStatus| {
            let found = self.observed.jobs.get(&attempt.job);
            found.is_none_or(|job| {
                let has_ttl = job.ttl_wanted.is_none() || job.ttl_seconds_after_finished.is_some();
                job.deleting || (has_ttl && (job.complete || job.failed.is_some()))
            })
        };
        self.is_stored_terminal(key) && step.attempts.recent.iter().all(is_settled)
    }
}

fn stop_job(draft: &mut Draft, job: &JobView) {
    draft.act(Action::StopJob {
        name: job.name.clone(),
        uid: job.uid.clone(),
    });
}

/// What becomes of a Job, by what is stored.
enum Standing {
    /// Its result is stored.
    Recorded,
    /// It runs, or what it did is not stored yet.
    Awaited,
    /// Its step has ended without it.
    Stray,
}
