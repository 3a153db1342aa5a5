use super::super::parse::parse;
use super::*;
use proptest::prelude::*;
use std::fmt::Write as _;

/// A problem: code, line, column, message, help.
type Seen = (Code, usize, usize, String, String);

/// Reads a text; returns the tree, if any, and the problems.
fn read(text: &str) -> (Option<Node>, Vec<Seen>) {
    let (mut sources, diagnostics) = (Sources::new(), Diagnostics::new());
    let file = sources.add("x.yaml", text);
    let node = parse(&sources, file, &diagnostics);
    let list = diagnostics.sorted().into_iter().map(|d| {
        let (line, column) = sources.line_column(d.primary.0.file, d.primary.0.start);
        (d.code, line, column, d.message, d.help.unwrap_or_default())
    });
    (node, list.collect())
}

fn fine(text: &str) -> Node {
    let (node, problems) = read(text);
    assert!(problems.is_empty(), "{problems:?}");
    node.unwrap()
}

#[test]
fn scalars_are_the_text_as_written() {
    let text = "a: on\nb: 1e3\nc: 0x1F\nd: 5m\ne: \"q\\t\"\nf: 'it''s'\ng: .nan\nh: 3000/s\ni: 1_000\nj: no\nk: !!str 007\n\
                l: two\n  lines\nm: |\n  block\nn: $0.20\no: 60%\np: 99999999999999999999999\n";
    let root = fine(text);
    let values: Vec<&str> = root.entries().iter().filter_map(|(_, v)| v.scalar()).collect();
    let expected = [
        "on",
        "1e3",
        "0x1F",
        "5m",
        "q\t",
        "it's",
        ".nan",
        "3000/s",
        "1_000",
        "no",
        "007",
        "two lines",
        "block\n",
        "$0.20",
        "60%",
        "99999999999999999999999",
    ];
    assert_eq!(values, expected);
    for text in ["a:", "a: ~", "a: null", "a: Null"] {
        assert!(fine(text).get("a").is_some_and(Node::is_null), "{text}");
    }
    assert_eq!(fine("a: 'null'").get("a").and_then(Node::scalar), Some("null"));
}

#[test]
fn every_node_and_key_has_its_place() {
    let text = "a: [1, { b: 'x' }]\nc:\n  d: ü z\n  e: 5 s # note\n";
    let root = fine(text);
    let mut sources = Sources::new();
    sources.add("x", text);
    let slice = |node: &Node| sources.slice(node.span).to_owned();
    assert_eq!(slice(root.get("a").unwrap()), "[1, { b: 'x' }]");
    assert_eq!(slice(&root.get("a").unwrap().items()[1]), "{ b: 'x' }");
    let c = root.entry("c").unwrap();
    assert_eq!(
        (sources.slice(c.0.span), slice(c.1.get("d").unwrap())),
        ("c", "ü z".to_owned())
    );
    assert_eq!(slice(c.1.get("e").unwrap()), "5 s");
    assert_eq!(sources.line_column(0, c.1.get("e").unwrap().span.start), (4, 6));
    assert!(slice(&c.1).starts_with("d: ü z\n  e: 5 s"));
}

#[test]
fn json_is_yaml() {
    let root = fine("{\"a\": {\"b\": [1.5, \"x\", null, true]}}");
    let items = root.get("a").and_then(|a| a.get("b")).unwrap().items();
    let texts: Vec<Option<&str>> = items.iter().map(Node::scalar).collect();
    assert_eq!(texts, [Some("1.5"), Some("x"), None, Some("true")]);
}

#[test]
fn anchors_and_merge_keys_are_resolved() {
    let root = fine("base: &b {x: 1, y: 2}\nd:\n  <<: *b\n  y: 3\ne: *b\nf:\n  <<: [*b, {z: 9, x: 8}]\n");
    let keys = |name: &str| -> Vec<(String, String)> {
        let entries = root.get(name).unwrap().entries().iter();
        entries
            .map(|(k, v)| (k.text.clone(), v.scalar().unwrap().to_owned()))
            .collect()
    };
    let pairs = |list: &[(&str, &str)]| -> Vec<(String, String)> {
        list.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    };
    assert_eq!(keys("d"), pairs(&[("y", "3"), ("x", "1")]));
    assert_eq!(keys("e"), pairs(&[("x", "1"), ("y", "2")]));
    assert_eq!(keys("f"), pairs(&[("x", "1"), ("y", "2"), ("z", "9")]));
}

#[test]
fn broken_text_is_a_problem_with_a_place() {
    for (text, code, line, column, says) in [
        ("", Code::EmptyFile, 1, 1, "empty"),
        ("# nothing\n", Code::EmptyFile, 1, 1, "empty"),
        ("a:\n  b: 1\n c: 2\n", Code::Syntax, 3, 2, "expected key"),
        ("a:\n\tb: 1\n", Code::Syntax, 2, 1, "a tab in the indentation"),
        ("a: [1, 2\n", Code::Syntax, 1, 4, "unclosed bracket"),
        ("a: \"x\nb: 1\n", Code::Syntax, 2, 1, "quoted"),
        ("a: b: c\n", Code::Syntax, 1, 5, "not allowed"),
        ("a: 1\n---\nb: 2\n", Code::Syntax, 3, 1, "second document"),
        ("a: *nothing\n", Code::Syntax, 1, 4, "no anchor `&nothing`"),
        ("a: &b [*b]\n", Code::Syntax, 1, 8, "inside what it stands for"),
        ("? [a, b]\n: c\n", Code::Syntax, 1, 3, "has to be a word"),
        ("a: !Ref b\n", Code::Syntax, 1, 9, "the tag `!Ref`"),
        ("a: {<<: 5}\n", Code::Syntax, 1, 9, "`<<` merges maps"),
        ("\0\x01\x02\x03", Code::Syntax, 1, 1, "unexpected character"),
    ] {
        let (_, problems) = read(text);
        let [problem] = problems.as_slice() else {
            panic!("{text:?}: {problems:?}")
        };
        assert_eq!(
            (problem.0, problem.1, problem.2),
            (code, line, column),
            "{text:?}: {problem:?}"
        );
        assert!(problem.3.contains(says), "{text:?}: {problem:?}");
    }
    assert!(read("a:5\nb: 3\n").1[0].4.contains("lacks a space"));
    assert!(read("a:\n\tb: 1\n").1[0].4.contains("indent with spaces"));
}

#[test]
fn all_duplicate_keys_are_found_at_once() {
    let (node, problems) = read("a: 1\nb: {c: 1, c: 2}\na: 3\n");
    let places: Vec<(Code, usize, usize)> = problems.iter().map(|p| (p.0, p.1, p.2)).collect();
    assert_eq!(places, [(Code::DuplicateKey, 2, 11), (Code::DuplicateKey, 3, 1)]);
    assert_eq!(
        node.unwrap().get("a").and_then(Node::scalar),
        Some("1"),
        "reading goes on with the first"
    );
}

#[test]
fn bombs_and_towers_are_refused() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..12 {
        let parts = vec![format!("*a{}", i - 1); 10].join(", ");
        let _ = writeln!(bomb, "a{i}: &a{i} [{parts}]");
    }
    assert_eq!(read(&bomb).1[0].0, Code::TooMuch);
    for (tower, code) in [
        ("[".repeat(200) + &"]".repeat(200), Code::TooMuch),
        ("[".repeat(100_000), Code::TooMuch),
        ("{a: ".repeat(100_000), Code::TooMuch),
        ((0..5000).map(|i| " ".repeat(i) + "a:\n").collect(), Code::TooMuch),
        ("- ".repeat(50_000), Code::TooMuch),
    ] {
        let (_, problems) = read(&tower);
        assert!(problems.iter().any(|p| p.0 == code), "{:?}", problems.first());
    }
    let chain: Vec<String> = (1..80).map(|i| format!("a{i}: &a{i} [*a{}]", i - 1)).collect();
    assert_eq!(read(&format!("a0: &a0 x\n{}", chain.join("\n"))).1[0].0, Code::TooMuch);
}

#[test]
fn files_that_are_no_text_are_refused() {
    let (mut sources, diagnostics) = (Sources::new(), Diagnostics::new());
    assert_eq!(
        sources.add_bytes("x", vec![b'a', b'\n', 0xff, 0xfe], &diagnostics),
        None
    );
    assert_eq!(
        sources.add_bytes("y", vec![b' '; MAX_FILE_BYTES + 1], &diagnostics),
        None
    );
    assert_eq!(sources.load(Path::new("/no/such/file.yaml"), &diagnostics), None);
    assert_eq!(sources.load(Path::new("/"), &diagnostics), None);
    let list = diagnostics.sorted();
    assert!(list.iter().all(|d| d.code == Code::Unreadable));
    let messages: Vec<&str> = list.iter().map(|d| d.message.as_str()).collect();
    assert!(messages[0].contains("byte 0xff at offset 2"), "{messages:?}");
    assert!(messages[1].contains("at most 8388608"), "{messages:?}");
    assert!(messages[2].contains("cannot read `/no/such/file.yaml`"), "{messages:?}");
    assert_eq!(sources.add_bytes("z", b"a: 1".to_vec(), &diagnostics), Some(4));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever the bytes: no panic, spans inside the text, and no tree only with a problem. Rendering works, too.
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        never_panics(&String::from_utf8_lossy(&bytes))?;
    }

    #[test]
    fn arbitrary_yaml_never_panics(text in "([a-c]: |- |\\[|\\]|\\{|\\}|, |&x |\\*x|<<: |\n| |  |\t|'|\"|\\||>|#|!|ü|€|\r\n|---|\\? |~|5 s|\u{feff}){0,40}") {
        never_panics(&text)?;
    }
}

fn never_panics(text: &str) -> Result<(), TestCaseError> {
    let (mut sources, diagnostics) = (Sources::new(), Diagnostics::new());
    let file = sources.add("x.yaml", text);
    let node = parse(&sources, file, &diagnostics);
    prop_assert!(node.is_some() || diagnostics.has_errors());
    let rendered = diagnostics.render(&sources, true);
    prop_assert!(node.is_some() || rendered.contains("C00"));
    if let Some(node) = node {
        inside(&node, text)?;
    }
    Ok(())
}

fn inside(node: &Node, text: &str) -> Result<(), TestCaseError> {
    prop_assert!(text.get(node.span.start..node.span.end).is_some(), "{node:?}");
    match &node.kind {
        NodeKind::Seq(items) => items.iter().try_for_each(|n| inside(n, text)),
        NodeKind::Map(entries) => entries.iter().try_for_each(|(k, v)| {
            prop_assert!(text.get(k.span.start..k.span.end).is_some(), "{k:?}");
            inside(v, text)
        }),
        _ => Ok(()),
    }
}
