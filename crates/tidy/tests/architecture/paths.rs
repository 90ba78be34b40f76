//! Which paths a source text names: in `use`, in expressions, types, patterns and attributes, and in the
//! tokens of macros. Each is followed through the file's own imports to the crate that it starts from.

use std::collections::{HashMap, HashSet};

use syn::buffer::{Cursor, TokenBuffer};
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Attribute, ImplItem, Item, Meta, Token, UseTree};

use crate::sources::Source;

/// A path as names, `crate::cache::Cache` being three.
pub(crate) type Names = Vec<String>;

/// A path that a file names.
#[derive(Debug)]
pub(crate) struct NamedPath {
    pub(crate) written: Names,
    /// What it may stand for, each from the name of a crate on. Several, where a glob import is in scope.
    pub(crate) meanings: Vec<Names>,
}

/// Every path that the text names outside of tests. A path of one name is left out unless it is imported:
/// it is local, or an import has brought it.
pub(crate) fn named_paths(source: &Source) -> Vec<NamedPath> {
    let file = parse(source);
    let mut collector = Collector {
        scopes: vec![Scope::new(source.module.clone())],
        current: 0,
    };
    collector.visit_file(&file);

    let scopes = &collector.scopes;
    let resolver = Resolver { scopes };
    let mut paths = Vec::new();
    for scope in scopes {
        for written in &scope.mentions {
            paths.push(NamedPath {
                written: written.clone(),
                meanings: resolver.meanings(scope, written, &[]),
            });
        }
    }
    paths
}

/// The names of the modules that the source declares for tests only, and that are in files of their own.
pub(crate) fn test_modules(source: &Source) -> Vec<String> {
    let is_test_module = |item: &Item| match item {
        Item::Mod(module) if module.content.is_none() && is_for_tests(&module.attrs) => {
            Some(module.ident.to_string())
        }
        _ => None,
    };
    parse(source)
        .items
        .iter()
        .filter_map(is_test_module)
        .collect()
}

fn parse(source: &Source) -> syn::File {
    syn::parse_file(&source.text).unwrap_or_else(|error| panic!("{}: {error}", source.file))
}

/// A module of the file: the file's own, or one in braces.
#[derive(Debug)]
struct Scope {
    module: Names,
    /// The names that `use` has brought in, with the path that each was imported by.
    imports: HashMap<String, Vec<Names>>,
    globs: Vec<Names>,
    submodules: HashSet<String>,
    mentions: Vec<Names>,
}

impl Scope {
    fn new(module: Names) -> Self {
        Scope {
            module,
            imports: HashMap::new(),
            globs: Vec::new(),
            submodules: HashSet::new(),
            mentions: Vec::new(),
        }
    }
}

/// Fills the scopes. An import inside a function counts as one of its module.
struct Collector {
    scopes: Vec<Scope>,
    current: usize,
}

impl Collector {
    fn scope(&mut self) -> &mut Scope {
        &mut self.scopes[self.current]
    }

    fn import(&mut self, alias: &str, path: Names) {
        let imports = &mut self.scope().imports;
        imports.entry(alias.to_owned()).or_default().push(path);
    }

    fn walk_use(&mut self, tree: &UseTree, prefix: &[String]) {
        let joined = |name: &syn::Ident| [prefix, &[plain(name)]].concat();
        match tree {
            UseTree::Path(path) => self.walk_use(&path.tree, &joined(&path.ident)),
            UseTree::Name(name) if name.ident == "self" => {
                self.mention_import(prefix.to_vec(), prefix.last().cloned());
            }
            UseTree::Name(name) => {
                self.mention_import(joined(&name.ident), Some(plain(&name.ident)));
            }
            UseTree::Rename(rename) => {
                let path = match plain(&rename.ident).as_str() {
                    "self" => prefix.to_vec(),
                    _ => joined(&rename.ident),
                };
                self.mention_import(path, Some(plain(&rename.rename)));
            }
            UseTree::Glob(_) => {
                self.scope().globs.push(prefix.to_vec());
                self.scope().mentions.push(prefix.to_vec());
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.walk_use(tree, prefix);
                }
            }
        }
    }

    fn mention_import(&mut self, path: Names, alias: Option<String>) {
        if let Some(alias) = alias {
            self.import(&alias, path.clone());
        }
        self.scope().mentions.push(path);
    }

    /// Finds `a::b` and `a::{b, c}` in tokens that are not parsed.
    fn walk_tokens(&mut self, mut cursor: Cursor<'_>, prefix: &[String]) {
        while !cursor.eof() {
            if let Some((name, after)) = cursor.ident() {
                cursor = after;
                let mut path = [prefix, &[plain(&name)]].concat();
                while let Some(after) = after_two_colons(cursor) {
                    cursor = after;
                    if let Some((name, after)) = cursor.ident() {
                        cursor = after;
                        path.push(plain(&name));
                    } else {
                        if let Some((inside, _, _, after)) = cursor.any_group() {
                            cursor = after;
                            self.walk_tokens(inside, &path);
                        }
                        break;
                    }
                }
                if path.len() > 1 {
                    self.scope().mentions.push(path);
                }
            } else if let Some((inside, _, _, after)) = cursor.any_group() {
                cursor = after;
                self.walk_tokens(inside, prefix);
            } else if let Some((_, after)) = cursor.token_tree() {
                cursor = after;
            }
        }
    }
}

fn after_two_colons(cursor: Cursor<'_>) -> Option<Cursor<'_>> {
    let (first, after) = cursor.punct()?;
    let (second, after) = after.punct()?;
    (first.as_char() == ':' && second.as_char() == ':').then_some(after)
}

/// The name without `r#`.
fn plain(name: &syn::Ident) -> String {
    name.to_string().trim_start_matches("r#").to_owned()
}

impl<'ast> Visit<'ast> for Collector {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        match item {
            ImplItem::Fn(function) if is_for_tests(&function.attrs) => {}
            _ => visit::visit_impl_item(self, item),
        }
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        let name = plain(&module.ident);
        self.scope().submodules.insert(name.clone());
        let outer = self.current;
        if module.content.is_some() {
            let inner = [self.scope().module.as_slice(), &[name]].concat();
            self.scopes.push(Scope::new(inner));
            self.current = self.scopes.len() - 1;
        }
        visit::visit_item_mod(self, module);
        self.current = outer;
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.walk_use(&item.tree, &[]);
    }

    fn visit_item_extern_crate(&mut self, item: &'ast syn::ItemExternCrate) {
        let alias = item.rename.as_ref().map(|(_, alias)| plain(alias));
        self.mention_import(vec![plain(&item.ident)], alias);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            let names = path.segments.iter().map(|segment| plain(&segment.ident));
            let names = names.collect();
            self.scope().mentions.push(names);
        }
        visit::visit_path(self, path);
    }

    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {
        // `pub(in crate::cache)` imports nothing.
    }

    fn visit_macro(&mut self, invocation: &'ast syn::Macro) {
        visit::visit_macro(self, invocation);
        let tokens = TokenBuffer::new2(invocation.tokens.clone());
        self.walk_tokens(tokens.begin(), &[]);
    }

    fn visit_meta_list(&mut self, list: &'ast syn::MetaList) {
        visit::visit_meta_list(self, list);
        let tokens = TokenBuffer::new2(list.tokens.clone());
        self.walk_tokens(tokens.begin(), &[]);
    }
}

/// Follows paths through the imports of one file.
struct Resolver<'a> {
    scopes: &'a [Scope],
}

impl Resolver<'_> {
    /// `followed` are the imports on the way here, none of which is followed twice.
    fn meanings(&self, scope: &Scope, path: &[String], followed: &[String]) -> Vec<Names> {
        let Some((first, rest)) = path.split_first() else {
            return vec![scope.module.clone()];
        };
        match first.as_str() {
            "crate" => return vec![[&scope.module[..1], rest].concat()],
            "self" => return self.in_module(&scope.module, rest, followed),
            "super" => {
                let parent = &scope.module[..scope.module.len().saturating_sub(1).max(1)];
                return self.in_module(parent, rest, followed);
            }
            _ => {}
        }
        let import = format!("{}::{first}", scope.module.join("::"));
        if let Some(imported) = scope.imports.get(first)
            && !followed.contains(&import)
        {
            let followed = [followed, &[import]].concat();
            return imported
                .iter()
                .flat_map(|target| {
                    self.meanings(scope, &[target.as_slice(), rest].concat(), &followed)
                })
                .collect();
        }
        if scope.submodules.contains(first) {
            return vec![[scope.module.as_slice(), path].concat()];
        }

        // Another crate's, or from a glob import.
        let mut meanings = vec![path.to_vec()];
        let globs = format!("{}::*", scope.module.join("::"));
        if !followed.contains(&globs) {
            let followed = [followed, &[globs]].concat();
            for glob in &scope.globs {
                let path = [glob.as_slice(), path].concat();
                meanings.extend(self.meanings(scope, &path, &followed));
            }
        }
        meanings
    }

    /// A path that starts in a module of this crate, which may be one of this file with its own imports.
    fn in_module(&self, module: &[String], path: &[String], followed: &[String]) -> Vec<Names> {
        if path.first().is_some_and(|name| name == "super") {
            let parent = &module[..module.len().saturating_sub(1).max(1)];
            return self.in_module(parent, &path[1..], followed);
        }
        let absolute = [module, path].concat();
        let here = self.scopes.iter().find(|scope| scope.module == module);
        match (here, path.first()) {
            (Some(scope), Some(first)) if !scope.submodules.contains(first) => {
                let mut meanings = self.meanings(scope, path, followed);
                meanings.push(absolute);
                meanings
            }
            _ => vec![absolute],
        }
    }
}

/// Whether `#[cfg(test)]` or `#[test]` is among the attributes.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => list
            .parse_args()
            .is_ok_and(|condition| needs_test(&condition)),
        meta => meta
            .path()
            .segments
            .last()
            .is_some_and(|name| name.ident == "test"),
    })
}

/// Whether the condition cannot hold without `test`.
fn needs_test(condition: &Meta) -> bool {
    let Meta::List(list) = condition else {
        return condition.path().is_ident("test");
    };
    let parsed = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
    parsed.is_ok_and(|conditions| {
        if list.path.is_ident("all") {
            conditions.iter().any(needs_test)
        } else {
            list.path.is_ident("any") && conditions.iter().all(needs_test)
        }
    })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
