//! The command line entry point: parse, run, exit.
use std::process::ExitCode;

fn main() -> ExitCode {
    coldcurve::cli::main()
}
