//! Systems whose cold starts have an exact law, each run with default settings: no length, no warm-up.
//!
//! Shared by `examples/defaults` (the long form) and `tests/defaults.rs` (a short one).

use coldcurve::run::{Loaded, Options, load};
use coldcurve::stats::formulas::KeepAlive;
use std::path::PathBuf;

/// A system, with words for it.
pub struct System {
    /// What it is.
    pub name: &'static str,
    /// Arrivals a second.
    pub rate: f64,
    /// Mean service in seconds.
    pub service: f64,
    /// The idle time-out as a scenario writes it.
    pub idle: &'static str,
    /// The same in seconds, where it is a constant.
    pub expiry: Option<f64>,
}

/// The systems that every default must do justice to.
pub const SYSTEMS: [System; 4] = [
    System {
        name: "0.9/s, 1.991 s, kept 600 s",
        rate: 0.9,
        service: 1.991,
        idle: "600 s",
        expiry: Some(600.0),
    },
    System {
        name: "0.2/s, 0.3 s, kept 300 s",
        rate: 0.2,
        service: 0.3,
        idle: "300 s",
        expiry: Some(300.0),
    },
    System {
        name: "10/s, 0.2 s, kept 60 s",
        rate: 10.0,
        service: 0.2,
        idle: "60 s",
        expiry: Some(60.0),
    },
    System {
        name: "0.9/s, 1.991 s, kept 3 to 6 min",
        rate: 0.9,
        service: 1.991,
        idle: "{ uniform: [3 min, 6 min] }",
        expiry: None,
    },
];

/// The share of cold starts as a study prints it: the figure and its interval.
pub type Printed = (f64, (f64, f64));

impl System {
    /// The scenario, with a second variant that has nothing to do with it if `beside`.
    fn text(&self, run: &str, beside: bool) -> String {
        let variants = if beside {
            "variants:\n  alone: {}\n  beside: { clients: { other: { to: g, arrivals: { poisson: 1/s } } }, functions: \
             { g: { idle_timeout: 20 s, handler: [{ wait: 50 ms }] } } }\n"
        } else {
            ""
        };
        format!(
            "{run}clients: {{ web: {{ to: f, arrivals: {{ poisson: {}/s }} }} }}\nfunctions: {{ f: {{ \
             idle_timeout: {}, \
             handler: [{{ wait: {{ exponential: {} s }} }}] }} }}\n{variants}",
            self.rate, self.idle, self.service
        )
    }

    fn printed(&self, run: &str, beside: bool, seed: u64, replications: u64) -> Printed {
        // The number of this process and the case keep studies that run at once apart.
        let folder = std::env::temp_dir().join(format!("coldcurve-defaults-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for scenarios");
        let file: PathBuf = folder.join(format!(
            "{}-{beside}-{seed}-{replications}-{}.yaml",
            self.rate,
            self.idle.len()
        ));
        std::fs::write(&file, self.text(run, beside)).expect("a scenario");
        let options = Options {
            seed: Some(seed),
            replications: Some(replications),
            ..Options::default()
        };
        let Loaded { study, .. } = load(&file, &options);
        let summary = study.expect("a sound scenario").run(&|| ()).expect("runs that end");
        let found = summary.cells[0].metric("functions.f.cold_ratio");
        let share = &found.expect("a function's metric").estimate;
        (share.mean, share.interval.expect("several runs"))
    }

    /// The share of cold starts: by the exact law, or from 64 runs of 50 hours, each after five that do not count.
    pub fn truth(&self) -> f64 {
        match self.expiry {
            Some(expiry) => KeepAlive::new(self.rate, self.service, expiry).p_cold(),
            None => {
                self.printed(
                    "run: { length: 55 h, warmup: 5 h, window: 1 h }\n",
                    false,
                    1_000_003,
                    64,
                )
                .0
            }
        }
    }

    /// A study with default settings.
    pub fn study(&self, beside: bool, seed: u64, replications: u64) -> Printed {
        self.printed("", beside, seed, replications)
    }
}

/// What many studies say together.
pub struct Verdict {
    /// Mean of the estimates over the truth.
    pub bias: f64,
    /// How many standard errors the mean lies from the truth.
    pub z: f64,
    /// Share of the studies whose interval holds the truth.
    pub covered: f64,
}

/// Judges studies of one system.
pub fn judge(studies: &[Printed], truth: f64) -> Verdict {
    let n = studies.len() as f64;
    let mean = studies.iter().map(|study| study.0).sum::<f64>() / n;
    let squares: f64 = studies.iter().map(|study| (study.0 - mean).powi(2)).sum();
    let covers = |(_, (low, high)): &&Printed| *low <= truth && truth <= *high;
    Verdict {
        bias: mean / truth,
        z: (mean - truth) / (squares / (n * (n - 1.0))).sqrt(),
        covered: studies.iter().filter(covers).count() as f64 / n,
    }
}
