//! The import graph of a crate, file by file.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Import, Reference, Source};

/// A crate's files by module path, and the imports of each.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    /// The source of each file, by the file's name.
    sources: BTreeMap<String, Source>,
    /// The file of each module, modules within files included.
    modules: BTreeMap<Vec<String>, String>,
    /// The files that each file uses.
    edges: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    /// Reads a crate: the names of its files relative to `src`, with their text. `root` is the file
    /// of the crate itself, such as `lib.rs`.
    pub(crate) fn of(root: &str, files: &BTreeMap<String, String>) -> Self {
        let mut graph = Self::default();
        for (name, text) in files {
            if let Some(module) = module_of(root, name) {
                graph.modules.insert(module, name.clone());
                graph.sources.insert(name.clone(), Source::read(text));
            }
        }
        graph.leave_out_tests(root);
        for (name, source) in &graph.sources {
            let module = module_of(root, name).unwrap_or_default();
            for inline in &source.inline_modules {
                let path = [module.clone(), inline.clone()].concat();
                graph.modules.insert(path, name.clone());
            }
        }
        for (name, source) in &graph.sources {
            let module = module_of(root, name).unwrap_or_default();
            let mut targets = graph.targets(&module, source);
            targets.remove(name);
            graph.edges.insert(name.clone(), targets);
        }
        graph
    }

    fn leave_out_tests(&mut self, root: &str) {
        let mut tests = BTreeSet::new();
        for (name, source) in &self.sources {
            let module = module_of(root, name).unwrap_or_default();
            for test in &source.test_modules {
                tests.insert([module.clone(), vec![test.clone()]].concat());
            }
        }
        self.modules.retain(|module, name| {
            let in_tests = module.iter().any(|part| part == "tests")
                || tests.iter().any(|test| module.starts_with(test));
            if in_tests {
                self.sources.remove(name);
            }
            !in_tests
        });
    }

    /// The files that a file uses: by imports and paths, followed through re-exports to the file
    /// that defines the item. A re-export alone is not a use.
    fn targets(&self, module: &[String], source: &Source) -> BTreeSet<String> {
        let mut targets = BTreeSet::new();
        let is_used = |import: &&Import| !import.exported || source.words.contains(&import.name);
        for import in source.imports.iter().filter(is_used) {
            let names_module = self.module_named(module, &import.reference).is_some();
            // The paths that begin with the module's name have the used items.
            if !names_module || import.name == "*" {
                targets.extend(self.resolve(module, &import.reference, 0));
            }
        }
        for reference in &source.paths {
            let aliased = reference.path.first().and_then(|first| {
                let mut imports = source.imports.iter();
                imports.find(|import| import.name == *first)
            });
            let reference = match aliased {
                Some(import) if self.module_named(module, &import.reference).is_some() => {
                    let rest = reference.path.iter().skip(1).cloned();
                    let path = import.reference.path.iter().cloned().chain(rest).collect();
                    let module = import.reference.module.clone();
                    Reference { module, path }
                }
                _ => reference.clone(),
            };
            targets.extend(self.resolve(module, &reference, 0));
        }
        targets
    }

    /// Returns the module at the start of a path in a module, and the rest of the path.
    fn start<'a>(
        &self,
        module: &[String],
        reference: &'a Reference,
    ) -> Option<(Vec<String>, &'a [String])> {
        let here = [module, &reference.module].concat();
        let (first, rest) = reference.path.split_first()?;
        match first.as_str() {
            "crate" => Some((Vec::new(), rest)),
            "self" => Some((here, rest)),
            "super" => {
                let mut at = here;
                let mut path = reference.path.as_slice();
                while let Some((first, rest)) = path.split_first()
                    && first == "super"
                {
                    at.pop()?;
                    path = rest;
                }
                Some((at, path))
            }
            _ => {
                let child = [here.as_slice(), std::slice::from_ref(first)].concat();
                self.modules.contains_key(&child).then_some((child, rest))
            }
        }
    }

    /// The module that a whole path names, if it names one.
    fn module_named(&self, module: &[String], reference: &Reference) -> Option<Vec<String>> {
        let (start, rest) = self.start(module, reference)?;
        let path = [start.as_slice(), rest].concat();
        self.modules.contains_key(&path).then_some(path)
    }

    /// The files that define the item of a path.
    fn resolve(&self, module: &[String], reference: &Reference, depth: usize) -> BTreeSet<String> {
        const DEEPEST: usize = 16;
        let Some((mut at, mut rest)) = self.start(module, reference) else {
            return BTreeSet::new();
        };
        while let Some((next, after)) = rest.split_first() {
            let child = [at.as_slice(), std::slice::from_ref(next)].concat();
            if !self.modules.contains_key(&child) {
                break;
            }
            (at, rest) = (child, after);
        }
        let Some(file) = self.modules.get(&at) else {
            return BTreeSet::new();
        };
        let own = BTreeSet::from([file.clone()]);
        let (Some((name, after)), Some(source)) = (rest.split_first(), self.sources.get(file))
        else {
            return own;
        };
        if source.definitions.contains(name) || depth > DEEPEST {
            return own;
        }
        for import in source.imports.iter().filter(|import| import.exported) {
            let mut reference = import.reference.clone();
            if import.name == *name {
                reference.path.extend(after.iter().cloned());
            } else if import.name == "*" {
                reference.path.extend(rest.iter().cloned());
            } else {
                continue;
            }
            let found = self.resolve(&at, &reference, depth + 1);
            let defines = |file: &String| {
                let source = self.sources.get(file);
                source.is_some_and(|source| source.definitions.contains(name))
            };
            if !found.is_empty() && (import.name != "*" || found.iter().any(defines)) {
                return found;
            }
        }
        own
    }

    /// Sets of files that use each other, directly or through others.
    pub(crate) fn cycles(&self) -> Vec<BTreeSet<String>> {
        let reached: BTreeMap<_, _> = self
            .edges
            .keys()
            .map(|file| (file, self.from(file)))
            .collect();
        let mut cycles = BTreeSet::new();
        for (file, ahead) in &reached {
            let back = |other: &&String| {
                reached
                    .get(other)
                    .is_some_and(|ahead| ahead.contains(*file))
            };
            let cycle: BTreeSet<String> = ahead.iter().filter(back).cloned().collect();
            if !cycle.is_empty() {
                cycles.insert(cycle);
            }
        }
        cycles.into_iter().collect()
    }

    fn from(&self, file: &str) -> BTreeSet<String> {
        let mut reached = BTreeSet::new();
        let mut open = vec![file];
        while let Some(file) = open.pop() {
            for next in self.edges.get(file).into_iter().flatten() {
                if reached.insert(next.clone()) {
                    open.push(next);
                }
            }
        }
        reached
    }
}

/// The module of a file, as rustc finds it. Other roots of the package, such as a second program,
/// are crates of their own.
fn module_of(root: &str, name: &str) -> Option<Vec<String>> {
    if name == root {
        return Some(Vec::new());
    }
    if matches!(name, "lib.rs" | "main.rs") || name.starts_with("bin/") {
        return None;
    }
    let path = name.strip_suffix(".rs")?;
    let path = path.strip_suffix("/mod").unwrap_or(path);
    Some(path.split('/').map(str::to_owned).collect())
}
