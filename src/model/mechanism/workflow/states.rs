//! From the states of a scenario to numbered ones: names become arrows, and what leads nowhere or is never reached is
//! found.

use super::fields::{BRANCH, CATCHER, MAP, RETRIER, RULE, STATE};
use super::plan::{
    Action, END, Errors, MapPlan, RETRIERS_MAX, RetrierPlan, Rule, STATES_MAX, StateMetrics, StatePlan, When,
};
use crate::kernel::Duration;
use crate::kernel::number::{fit, whole_u32};
use crate::model::request::meaning::interned;
use crate::scenario::{Block, Code, Context, Key, Node, NodeKind, Span, nearest, read_text};
use std::collections::BTreeSet;

/// What the workflow as a whole allows.
pub(super) struct RuleOfSize {
    /// Items of an inline map at once.
    pub inline: u32,
    /// Items of a distributed map at once.
    pub distributed: u32,
    /// Bytes that a state may hand on.
    pub payload: Option<u64>,
}

/// What a state can do, as scenarios call it.
const ACTIONS: [&str; 8] = ["task", "choice", "parallel", "map", "wait", "pass", "succeed", "fail"];

/// The states that may lead to one another: those of the workflow, of a branch or of an item.
struct Scope<'a> {
    base: u16,
    names: Vec<&'a str>,
}

struct Reader<'a> {
    cx: &'a Context<'a>,
    limits: &'a RuleOfSize,
    states: Vec<StatePlan>,
    /// What each state hands on, in bytes.
    results: Vec<u64>,
    names: BTreeSet<&'a str>,
    full: bool,
}

/// Reads all states of a workflow; says which one is first.
pub(super) fn read_states<'a>(block: &Block<'a>, limits: &'a RuleOfSize) -> Option<(Vec<StatePlan>, u16)> {
    let mut reader = Reader {
        cx: block.context(),
        limits,
        states: Vec::new(),
        results: Vec::new(),
        names: BTreeSet::new(),
        full: false,
    };
    let start = reader.scope(block)?;
    if reader.full {
        let message = format!("a workflow of more than {STATES_MAX} states");
        let help = "make a map of what repeats, or workflows that call one another";
        block.error(Code::TooMany, block.span(), message, help);
        return None;
    }
    Some((reader.states, start))
}

fn metrics(name: &str) -> StateMetrics {
    let full = |what: &str| interned(format!("state.{name}.{what}"));
    StateMetrics {
        visits: full("visits"),
        errors: full("errors"),
        time: full("time"),
    }
}

impl<'a> Reader<'a> {
    /// Reads the states of a block; returns the first one.
    fn scope(&mut self, block: &Block<'a>) -> Option<u16> {
        let entries = block.entries("states");
        if entries.is_empty() {
            if block.has("states") {
                let help = "such as `states: { work: { task: worker } }`";
                block.error(Code::MissingKey, block.span_of("states"), "there are no states", help);
            }
            return None;
        }
        if self.states.len() + entries.len() > STATES_MAX {
            self.full = true;
            return None;
        }
        let scope = Scope {
            base: fit(self.states.len()),
            names: entries.iter().map(|(key, _)| key.text.as_str()).collect(),
        };
        for (key, _) in entries {
            self.name(key);
            self.states.push(StatePlan {
                action: Action::Pass,
                next: END,
                timeout: Duration::FOREVER,
                retry: Vec::new(),
                catch: Vec::new(),
                metrics: metrics(&key.text),
            });
            self.results.push(0);
        }
        for (i, (key, node)) in entries.iter().enumerate() {
            let state = self.state(&scope, key, node, scope.base as usize + i);
            self.states[scope.base as usize + i] = state;
        }
        let start = block
            .text_opt("start")
            .map_or(scope.base, |name| self.arrow(&scope, name, block.span_of("start")));
        self.reached(&scope, start, entries);
        Some(if start == END { scope.base } else { start })
    }

    fn name(&mut self, key: &'a Key) {
        let usable = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        if key.text.is_empty() || !key.text.chars().all(usable) {
            let message = format!("`{}` cannot name a state", key.text);
            self.cx
                .error(Code::BadName, key.span, message, "use letters, digits, `_` and `-`");
        }
        if !self.names.insert(&key.text) {
            let message = format!("two states of the workflow are called `{}`", key.text);
            let help = "names of states are unique in the whole workflow, branches included";
            self.cx.error(Code::DuplicateName, key.span, message, help);
        }
    }

    /// The state of a name; the end after reporting that there is none.
    fn arrow(&self, scope: &Scope, name: &str, span: Span) -> u16 {
        if let Some(place) = scope.names.iter().position(|known| *known == name) {
            return scope.base + fit::<u16, _>(place);
        }
        let message = format!("no state beside this one is called `{name}`");
        let help = match nearest(name, scope.names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if self.names.contains(name) => "branches and items lead to states of their own only".to_owned(),
            None => format!("states here are {}", scope.names.join(", ")),
        };
        self.cx.error(Code::UnknownName, span, message, help);
        END
    }

    fn state(&mut self, scope: &Scope, key: &'a Key, node: &'a Node, place: usize) -> StatePlan {
        let mut state = self.states[place].clone();
        if let NodeKind::Scalar(word) = &node.kind {
            state.action = match word.as_str() {
                "succeed" => Action::Succeed,
                "fail" => Action::Fail,
                "pass" => Action::Pass,
                _ => {
                    let message = format!("`{word}` is not a state");
                    let help = "write `succeed`, `fail`, or a map such as `{ task: worker, next: done }`";
                    self.cx.error(Code::UnknownChoice, node.span, message, help);
                    Action::Pass
                }
            };
            return state;
        }
        let block = Block::keyed(self.cx, key, node, &STATE);
        let Some(action) = self.action_of(&block, key) else {
            return state;
        };
        let repeatable = ["task", "parallel", "map"].contains(&action);
        for (field, fits) in [
            ("next", !["choice", "succeed", "fail"].contains(&action)),
            ("timeout", action == "task"),
            ("retry", repeatable),
            ("catch", repeatable),
        ] {
            if block.has(field) && !fits {
                let message = format!("a `{action}` state has no `{field}`");
                block.error(Code::Conflict, block.span_of(field), message, "leave it out");
            }
        }
        state.next = block
            .text_opt("next")
            .map_or(END, |name| self.arrow(scope, name, block.span_of("next")));
        state.timeout = block.duration_opt("timeout").unwrap_or(Duration::FOREVER);
        state.retry = self.retriers(&block);
        state.catch = self.catchers(scope, &block);
        if let Some((action, result)) = self.action(scope, action, &block) {
            state.action = action;
            self.results[place] = block.size_opt("result").unwrap_or(result);
            self.check_payload(&block, self.results[place]);
        }
        state
    }

    /// Which of its fields says what the state does: exactly one has to.
    fn action_of(&self, block: &Block, key: &Key) -> Option<&'static str> {
        let written: Vec<&'static str> = ACTIONS.into_iter().filter(|action| block.has(action)).collect();
        match written[..] {
            [one] => Some(one),
            [] => {
                // What is misspelt has been reported.
                if !block.has_strange_keys() {
                    let message = format!("`{}` does nothing", key.text);
                    let help = format!("say one of {}", ACTIONS.join(", "));
                    self.cx.error(Code::MissingKey, key.span, message, help);
                }
                None
            }
            [first, second, ..] => {
                let message = format!("a state does one thing, and this one has `{first}` and `{second}`");
                let help = "make two states of it";
                self.cx.error(Code::Conflict, block.span_of(second), message, help);
                None
            }
        }
    }

    /// What the state does, and how large its result is unless it says so itself.
    fn action(&mut self, scope: &Scope, action: &str, block: &Block<'a>) -> Option<(Action, u64)> {
        match action {
            "task" => Some((Action::Task(block.target_opt("task")?), 0)),
            "choice" => Some((Action::Choice(self.rules(scope, block)), 0)),
            "parallel" => self.parallel(block),
            "map" => self.map(block),
            "wait" => Some((Action::Wait(block.sampler_opt("wait")?), 0)),
            "succeed" => Some((Action::Succeed, 0)),
            "fail" => Some((Action::Fail, 0)),
            _ => Some((Action::Pass, 0)),
        }
    }

    fn rules(&self, scope: &Scope, block: &Block<'a>) -> Vec<Rule> {
        let nodes = block.list("choice");
        let mut sum = 0.0;
        let mut rules = Vec::new();
        for node in nodes {
            let rule = Block::new(self.cx, node, &RULE);
            let (share, first) = (rule.share_opt("probability"), rule.count_opt("first"));
            if share.is_some() && first.is_some() {
                let message = "a rule holds by `probability` or for the `first` visits, not both";
                rule.error(Code::Conflict, rule.span_of("first"), message, "make two rules of it");
            }
            let when = match (share, first) {
                (Some(share), _) => {
                    sum += share;
                    When::Below(sum)
                }
                (None, Some(visits)) => When::First(fit(visits)),
                (None, None) => When::Otherwise,
            };
            let next = rule
                .text_opt("next")
                .map_or(END, |name| self.arrow(scope, name, rule.span_of("next")));
            rules.push(Rule { when, next });
        }
        let surely = rules.iter().position(|rule| rule.when == When::Otherwise);
        let span = block.span_of("choice");
        if sum > 1.0 + 1e-9 {
            let message = format!("the probabilities come to {sum:.3}");
            block.error(Code::Inconsistent, span, message, "make them at most 1 together");
        } else if surely.is_none() && sum < 1.0 - 1e-9 {
            let message = "no rule may hold, and then the workflow does not know where to go";
            let help = "end with a rule that has only `next`";
            block.error(Code::MissingKey, span, message, help);
        }
        if surely.is_some_and(|place| place + 1 < rules.len()) {
            let message = "the rules after the one that always holds are never looked at";
            block.error(
                Code::Inconsistent,
                span,
                message,
                "make the rule with only `next` the last one",
            );
        }
        rules
    }

    fn parallel(&mut self, block: &Block<'a>) -> Option<(Action, u64)> {
        let nodes = block.list("parallel");
        let mut starts = Vec::new();
        let mut result = 0_u64;
        for node in nodes {
            let from = self.states.len();
            starts.extend(self.scope(&Block::new(self.cx, node, &BRANCH)));
            result = result.saturating_add(self.largest_result(from));
        }
        if starts.is_empty() || nodes.len() > 1000 {
            let message = format!("a parallel state of {} branches", nodes.len());
            let help = "give it 1 to 1,000 branches, or use `map` for the same states many times";
            block.error(Code::OutOfRange, block.span_of("parallel"), message, help);
            return None;
        }
        Some((Action::Parallel(starts), result))
    }

    fn map(&mut self, block: &Block<'a>) -> Option<(Action, u64)> {
        let map = Block::new(self.cx, block.node("map")?, &MAP);
        let distributed = map.choice("mode") == 1;
        let limit = if distributed {
            self.limits.distributed
        } else {
            self.limits.inline
        };
        let items = fit(map.count("items"));
        let wanted = map.count_opt("concurrency").map_or(limit, |wanted| fit(wanted));
        if wanted > limit {
            let message = format!("the workflow allows {limit} items of such a map at once");
            let help = if distributed {
                "raise `distributed_concurrency`"
            } else {
                "use `mode: distributed`, or raise `inline_concurrency`"
            };
            map.error(Code::Inconsistent, map.span_of("concurrency"), message, help);
        }
        if map.share("tolerated_failures") > 0.0 && !distributed {
            let message = "only a distributed map tolerates failures";
            let help = "add `mode: distributed`, or catch failures within the item";
            map.error(Code::Conflict, map.span_of("tolerated_failures"), message, help);
        }
        let from = self.states.len();
        let start = self.scope(&map)?;
        let result = self.largest_result(from).saturating_mul(u64::from(items));
        let plan = MapPlan {
            items,
            concurrency: wanted.min(limit).max(1),
            distributed,
            tolerated: whole_u32(map.share("tolerated_failures") * f64::from(items)),
            start,
        };
        Some((Action::Map(plan), result))
    }

    /// The largest result of a state that ends a branch whose states begin at `from`.
    fn largest_result(&self, from: usize) -> u64 {
        let ends = self.states.iter().zip(&self.results).skip(from);
        let last = ends.filter(|(state, _)| state.next == END);
        last.map(|(_, result)| *result).max().unwrap_or(0)
    }

    fn check_payload(&self, block: &Block, result: u64) {
        let Some(limit) = self.limits.payload.filter(|limit| result > *limit) else {
            return;
        };
        let message = format!("{result} bytes to hand on, and the limit is {limit}: every execution would fail here");
        let help = "keep the data in a store and hand on where it is: `result: 1 KB` on this state";
        let span = if block.has("result") {
            block.span_of("result")
        } else {
            block.span()
        };
        block.error(Code::Inconsistent, span, message, help);
    }

    fn retriers(&self, block: &Block<'a>) -> Vec<RetrierPlan> {
        let nodes = block.list("retry");
        if nodes.len() > RETRIERS_MAX {
            let message = format!("a state has at most {RETRIERS_MAX} retriers");
            block.error(
                Code::TooMany,
                block.span_of("retry"),
                message,
                "name several errors in one",
            );
        }
        let read = |node| {
            let retrier = Block::new(self.cx, node, &RETRIER);
            RetrierPlan {
                errors: self.errors(&retrier),
                interval: retrier.duration("interval"),
                attempts: fit(retrier.count("max_attempts")),
                backoff_rate: retrier.number("backoff_rate"),
                max_delay: retrier.duration_opt("max_delay").unwrap_or(Duration::FOREVER),
                full_jitter: retrier.choice("jitter") == 1,
            }
        };
        nodes.iter().take(RETRIERS_MAX).map(read).collect()
    }

    fn catchers(&self, scope: &Scope, block: &Block<'a>) -> Vec<(Errors, u16)> {
        let read = |node| {
            let catcher = Block::new(self.cx, node, &CATCHER);
            let next = catcher.text_opt("next")?;
            Some((self.errors(&catcher), self.arrow(scope, next, catcher.span_of("next"))))
        };
        block.list("catch").iter().filter_map(read).collect()
    }

    fn errors(&self, block: &Block) -> Errors {
        let words = Errors::WORDS.map(|word| word.0);
        let mut errors = Errors(0);
        for node in block.list("errors") {
            let Some(text) = read_text(self.cx, node) else { continue };
            let Some((_, meant)) = Errors::WORDS.iter().find(|word| word.0 == text) else {
                let message = format!("`{text}` is not an error that a state can end with");
                let help = match nearest(text, words.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("write {}", words.join(", ")),
                };
                self.cx.error(Code::UnknownChoice, node.span, message, help);
                continue;
            };
            errors.0 |= meant.0;
        }
        errors
    }

    /// Warns about states that nothing leads to, unless an arrow may be missing because of an error.
    fn reached(&self, scope: &Scope, start: u16, entries: &[(Key, Node)]) {
        if self.cx.diagnostics.has_errors() {
            return;
        }
        let mut seen = vec![false; entries.len()];
        let mut open = vec![start];
        while let Some(state) = open.pop() {
            let Some(place) = state.checked_sub(scope.base).map(usize::from) else {
                continue;
            };
            if state == END || seen[place] {
                continue;
            }
            seen[place] = true;
            let state = &self.states[usize::from(state)];
            open.push(state.next);
            open.extend(state.catch.iter().map(|catcher| catcher.1));
            if let Action::Choice(rules) = &state.action {
                open.extend(rules.iter().map(|rule| rule.next));
            }
        }
        for ((key, _), _) in entries.iter().zip(seen).filter(|(_, seen)| !seen) {
            let message = format!("no state leads to `{}`", key.text);
            let help = "name it as the `next` of another state, or remove it";
            self.cx.warn(Code::Unused, key.span, message, help);
        }
    }
}
