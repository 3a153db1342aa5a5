//! How far a study has come, told while it is read, run and written.

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
