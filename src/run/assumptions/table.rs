//! What scenarios leave open and what else is plausible: a row for each field that may decide an answer.

/// A field that is often left as it is.
#[derive(Clone, Copy, Debug)]
pub struct Open {
    /// The section of the components that have it.
    pub section: &'static str,
    /// The field.
    pub field: &'static str,
    /// Fields that say the same: where one of them is written, it is not open.
    pub said_by: &'static [&'static str],
    /// Whether it is open although a service gives its own default with a good source: whoever deploys chooses it.
    pub chosen: bool,
    /// What else it may be.
    pub other: Other,
    /// What holds as long as nobody says otherwise; `{}` stands for the components, `{used}` for the value.
    pub words: &'static str,
}

/// What else a value may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Other {
    /// This, where nothing is written.
    Value(&'static str),
    /// So many times what is assumed, where nothing is written.
    Times(u32),
    /// Half of what is assumed, where nothing is written.
    Half,
    /// Varying, with a p99 so many times as long, where a constant is written.
    Tail(u32),
    /// Half of the time of a handler that only computes or only waits, the other way.
    Halves,
}

const fn open(section: &'static str, field: &'static str, other: Other, words: &'static str) -> Open {
    Open {
        section,
        field,
        said_by: &[],
        chosen: false,
        other,
        words,
    }
}

/// All of them, those first that decided most often where predictions were held against measurements.
pub const OPEN: &[Open] = &[
    Open {
        said_by: &["init"],
        ..open(
            "functions",
            "code_init",
            Other::Value("1 s"),
            "a cold start of {} has no start-up code of its own",
        )
    },
    open("externals", "latency", Other::Value("100 ms"), "{} answers at once"),
    open(
        "externals",
        "latency",
        Other::Tail(5),
        "every answer of {} takes the same {used}",
    ),
    open(
        "functions",
        "handler",
        Other::Halves,
        "the time of {} in its handler is {used}",
    ),
    open(
        "databases",
        "query",
        Other::Times(5),
        "a query of {} computes for {used}",
    ),
    open(
        "databases",
        "latency",
        Other::Times(5),
        "a query of {} waits {used} beside the CPU",
    ),
    Open {
        chosen: true,
        ..open(
            "functions",
            "memory",
            Other::Times(4),
            "an instance of {} has {used} of memory",
        )
    },
    open(
        "functions",
        "idle_timeout",
        Other::Half,
        "an idle instance of {} is kept for {used}",
    ),
    open("stores", "item_size", Other::Times(10), "an item of {} has {used}"),
    open("queues", "message_size", Other::Times(10), "a message of {} has {used}"),
    open("streams", "record_size", Other::Times(10), "a record of {} has {used}"),
    open("topics", "message_size", Other::Times(10), "a message of {} has {used}"),
    open(
        "gateways",
        "response_size",
        Other::Times(10),
        "an answer of {} has {used}",
    ),
    open("clients", "timeout", Other::Value("2 s"), "{} never gives up"),
    open(
        "clients",
        "retry",
        Other::Value("aws-sdk-standard"),
        "{} never tries again",
    ),
];
