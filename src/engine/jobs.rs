//! The Jobs and children of a run, by where they stand: a step that runs others asks for those below it, at every look.

use jobwright_api::status::PathSegment;
use std::cmp::Ordering;

use crate::{
    id::StepId,
    observed::{ChildView, JobView},
};

/// What steps have started: Jobs and child Workflows.
#[derive(Debug, Default)]
pub(crate) struct Jobs<'a> {
    jobs: Vec<&'a JobView>,
    /// Of Jobs and children, in order, so that those below a step are neighbours.
    paths: Vec<&'a [PathSegment]>,
}

impl<'a> Jobs<'a> {
    pub(crate) fn new(jobs: impl Iterator<Item = &'a JobView>, children: impl Iterator<Item = &'a ChildView>) -> Self {
        let jobs: Vec<&JobView> = jobs.collect();
        let of_jobs = jobs.iter().map(|job| job.path.as_slice());
        let mut paths: Vec<_> = of_jobs.chain(children.map(|child| child.path.as_slice())).collect();
        paths.sort_unstable();
        Self { jobs, paths }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &'a JobView> + '_ {
        self.jobs.iter().copied()
    }

    /// The ends of the paths of what runs at or below this step, whatever its index: from its own segment on.
    pub(crate) fn below<'i>(&'i self, id: &'i StepId) -> impl Iterator<Item = (&'i PathSegment, &'i [PathSegment])> {
        let first = self
            .paths
            .partition_point(|path| compare(path, id.path()) == Ordering::Less);
        let behind = self.paths.iter().skip(first);
        let found = behind.take_while(|path| compare(path, id.path()) == Ordering::Equal);
        let depth = id.path().len().saturating_sub(1);
        found.filter_map(move |path| path.get(depth..)?.split_first())
    }
}

/// Where a path stands to those at or below a step, whose own index does not matter.
fn compare(path: &[PathSegment], step: &[PathSegment]) -> Ordering {
    let Some((own, above)) = step.split_last() else {
        return Ordering::Equal;
    };
    let around = path.get(..above.len()).unwrap_or(path);
    around.cmp(above).then_with(|| match path.get(above.len()) {
        Some(found) => found.name.cmp(&own.name),
        None => Ordering::Less,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Vec<PathSegment> {
        let segments = text.split('.').map(|segment| {
            let (name, index) = segment.split_once('[').unwrap_or((segment, ""));
            PathSegment {
                name: name.to_owned(),
                index: index.trim_end_matches(']').parse().ok(),
            }
        });
        segments.collect()
    }

    #[test]
    fn those_below_a_step_are_found_whatever_its_index() {
        let all = [
            "a",
            "b.x",
            "l[0].x",
            "l[0].y",
            "l[1].x",
            "l.onFailure.u",
            "lx",
            "m[0]",
            "m[10]",
            "o[1].l[0].x",
        ];
        let jobs: Vec<JobView> = all
            .iter()
            .map(|text| JobView {
                path: path(text),
                ..JobView::default()
            })
            .collect();
        let jobs = Jobs::new(jobs.iter(), std::iter::empty());
        let below = |id: &str| jobs.below(&StepId::from(path(id))).count();
        let counts = ["a", "b", "b.x", "l", "l[7]", "lx", "m", "o[1].l", "o[0].l", "z"].map(below);
        assert_eq!(counts, [1, 1, 1, 4, 4, 1, 2, 1, 0, 0]);
        let items = StepId::from(path("m"));
        let first = jobs.below(&items).next().unwrap();
        assert_eq!((first.0.index, first.1.len()), (Some(0), 0));
    }
}
