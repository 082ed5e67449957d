//! Acts that a feed told of and that are not in the history yet: they wait until the index knows where they were done.

use hearth_watch::Act;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Acts {
    acts: Vec<Act>,
    dropped: u64,
}

impl Acts {
    /// Adds the acts of a batch, as many as `most` in all, and how many it left out.
    pub(super) fn add(&mut self, acts: impl Iterator<Item = Act>, dropped: u64, most: usize) {
        self.dropped += dropped;
        for act in acts {
            if self.acts.len() < most {
                self.acts.push(act);
            } else {
                self.dropped += 1;
            }
        }
    }

    /// What there is, and how many were left out.
    pub(super) fn take(&mut self) -> (Vec<Act>, u64) {
        (std::mem::take(&mut self.acts), std::mem::take(&mut self.dropped))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hearth_watch::ActKind;

    #[test]
    fn what_does_not_fit_is_counted() {
        let act = Act {
            folder: 1,
            name: Box::from(*b"a"),
            kind: ActKind::Created,
            pid: 1,
            at_ns: 0,
            command: "sh".into(),
            uid: None,
        };
        let mut acts = Acts::default();
        acts.add(std::iter::repeat_n(act.clone(), 3), 4, 2);
        assert_eq!(acts.take(), (vec![act.clone(), act], 5));
        assert_eq!(acts.take(), (Vec::new(), 0));
    }
}
