//! Import circles: modules beside each other of which each needs the other, directly or through others.
//!
//! A module and the modules in its folder are one thing here: a module may use its own folder, and what is
//! in the folder may use what the module itself defines.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::paths::{Names, named_paths};
use crate::sources::Source;

/// Where two modules of one folder meet: the module that they are in, and an import between them.
type Imports = BTreeMap<Names, BTreeMap<(String, String), Evidence>>;

/// A file, and a path that it names.
type Evidence = (String, String);

/// Every import that is part of a circle, as a line.
pub(crate) fn circles(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for (folder, imports) in imports(sources) {
        for ((from, to), (file, path)) in &imports {
            if reaches(&imports, to, from) {
                let folder = folder.join("::");
                found.push(format!(
                    "{folder}: {from} -> {to}: crates/{file} names {path}"
                ));
            }
        }
    }
    found
}

fn imports(sources: &[Source]) -> Imports {
    let modules: HashSet<&[String]> = sources
        .iter()
        .map(|source| source.module.as_slice())
        .collect();
    let mut imports = Imports::new();
    for source in sources {
        for path in named_paths(source) {
            for meaning in &path.meanings {
                let Some(common) = sides(&source.module, meaning, &modules) else {
                    continue;
                };
                let edge = (source.module[common].clone(), meaning[common].clone());
                let evidence = (source.file.clone(), path.written.join("::"));
                let folder = source.module[..common].to_vec();
                imports
                    .entry(folder)
                    .or_default()
                    .entry(edge)
                    .or_insert(evidence);
            }
        }
    }
    imports
}

/// How many names the two paths begin with in common, where each goes on into another module.
fn sides(own: &[String], named: &[String], modules: &HashSet<&[String]>) -> Option<usize> {
    let common = own.iter().zip(named).take_while(|(a, b)| a == b).count();
    let is_module = |path: &[String]| path.len() > common && modules.contains(&path[..=common]);
    (common > 0 && is_module(own) && is_module(named)).then_some(common)
}

fn reaches(imports: &BTreeMap<(String, String), Evidence>, from: &str, to: &str) -> bool {
    let mut seen = BTreeSet::from([from]);
    let mut next = vec![from];
    while let Some(module) = next.pop() {
        for (_, named) in imports.keys().filter(|(naming, _)| naming == module) {
            if seen.insert(named) {
                next.push(named);
            }
        }
    }
    seen.contains(to)
}

#[test]
fn no_modules_import_each_other_in_a_circle() {
    let found = circles(&crate::sources::read_sources());
    assert!(found.is_empty(), "\n  {}", found.join("\n  "));
}

fn sources(texts: &[(&str, &str)]) -> Vec<Source> {
    let source = |(file, text): &(&str, &str)| Source::new("cache_core", file, text);
    texts.iter().map(source).collect()
}

#[test]
fn a_circle_of_three_is_reported() {
    let found = circles(&sources(&[
        ("core/src/a.rs", "mod x; use crate::b::B; pub struct A;"),
        ("core/src/a/x.rs", "use super::A;"),
        ("core/src/b.rs", "pub struct B;"),
        ("core/src/b/y.rs", "use crate::c;"),
        ("core/src/c.rs", "fn f() { crate::a::x::f() }"),
    ]));
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found[0].contains("a -> b: crates/core/src/a.rs names crate::b::B"));
}

#[test]
fn a_module_and_its_folder_are_no_circle() {
    let found = circles(&sources(&[
        ("core/src/a.rs", "mod x; use x::X; pub struct A;"),
        (
            "core/src/a/x.rs",
            "use super::A; use crate::a::y::Y; pub struct X;",
        ),
        ("core/src/a/y.rs", "pub struct Y;"),
        ("core/src/b.rs", "use crate::a::A;"),
    ]));
    assert!(found.is_empty(), "{found:#?}");
}
