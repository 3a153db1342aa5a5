//! How far a study has come, told while it is read, run and written.

use std::sync::atomic::{AtomicBool, Ordering};

/// What is being done. The phases follow one another in this order; several steps of one may be done side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Reading the scenario; a step is a cell.
    Reading,
    /// Finding the warm-up by pilot runs; a step is a cell.
    WarmingUp,
    /// Sizing fleets and finding where to start; a step is a cell.
    Sizing,
    /// Running; a step is a run.
    Running,
    /// Comparing cells and judging expectations; a step is an expectation.
    Judging,
    /// Drawing and writing; a step is a file.
    Writing,
}

/// Who is told how far a study has come. From any thread, so in any order, but no step before its phase has begun.
pub trait Progress: Sync {
    /// A phase of so many steps begins.
    fn begin(&self, phase: Phase, steps: u64) {
        let _ = (phase, steps);
    }

    /// A step is done.
    fn step(&self, phase: Phase);

    /// Whether nobody wants the results any more. Asked about every 65,536 events of each run and before each cell,
    /// from any thread; once it is true it must stay so.
    fn is_cancelled(&self) -> bool {
        false
    }
}

/// A closure is called once after each run.
impl<F: Fn() + Sync> Progress for F {
    fn step(&self, phase: Phase) {
        if phase == Phase::Running {
            self();
        }
    }
}

/// Tells nobody.
pub struct Silent;

impl Progress for Silent {
    fn step(&self, _: Phase) {}
}

/// Tells nobody, and ends the work when it is told to.
#[derive(Debug, Default)]
pub struct Cancel(AtomicBool);

impl Cancel {
    /// One that lets the work go on.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the work soon, from any thread.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Progress for Cancel {
    fn step(&self, _: Phase) {}

    fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Tells nobody of the steps of pilot runs, but asks whether they are wanted.
#[derive(Clone, Copy)]
pub(super) struct Quiet<'a>(pub &'a dyn Progress);

impl Progress for Quiet<'_> {
    fn step(&self, _: Phase) {}

    fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }
}
