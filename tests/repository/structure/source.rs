//! The modules, imports and paths of one source file.

use std::collections::BTreeSet;

use crate::tokens::{Token, read};

/// The parts of a source file that determine its dependencies. Items under `#[cfg(test)]` are left
/// out.
#[derive(Debug, Default)]
pub(crate) struct Source {
    pub(crate) imports: Vec<Import>,
    pub(crate) paths: Vec<Reference>,
    /// Modules with a body in this file, by their path below the file's own module.
    pub(crate) inline_modules: Vec<Vec<String>>,
    /// Modules that exist only in tests.
    pub(crate) test_modules: BTreeSet<String>,
    /// Items that the file defines outside of blocks.
    pub(crate) definitions: BTreeSet<String>,
    /// All words of the code but those in imports.
    pub(crate) words: BTreeSet<String>,
}

/// A path in the code, in one of the file's inline modules, or in the file's own module.
#[derive(Debug, Clone)]
pub(crate) struct Reference {
    pub(crate) module: Vec<String>,
    pub(crate) path: Vec<String>,
}

/// One name that a `use` brings into scope; `*` if it brings all of a module.
#[derive(Debug, Clone)]
pub(crate) struct Import {
    pub(crate) name: String,
    /// It has a visibility: the name can be reached through this file.
    pub(crate) exported: bool,
    pub(crate) reference: Reference,
}

impl Source {
    pub(crate) fn read(text: &str) -> Self {
        let mut reader = Reader {
            tokens: read(text),
            ..Reader::default()
        };
        reader.run();
        reader.source
    }
}

#[derive(Default)]
struct Reader {
    tokens: Vec<Token>,
    at: usize,
    source: Source,
    /// Open inline modules, each with the number of open blocks around it.
    modules: Vec<(String, usize)>,
    blocks: usize,
    exported: bool,
}

const ITEMS: [&str; 9] = [
    "fn",
    "struct",
    "enum",
    "union",
    "trait",
    "type",
    "const",
    "static",
    "macro_rules",
];

impl Reader {
    fn run(&mut self) {
        while let Some(token) = self.tokens.get(self.at).cloned() {
            self.at += 1;
            match token {
                Token::Mark('#') if self.is_test_attribute() => self.skip_item(),
                Token::Mark('{') => self.blocks += 1,
                Token::Mark('}') => self.close(),
                Token::Word(word) => self.word(word),
                Token::Mark(_) | Token::Separator => {}
            }
        }
    }

    fn close(&mut self) {
        self.blocks = self.blocks.saturating_sub(1);
        if self
            .modules
            .last()
            .is_some_and(|(_, blocks)| *blocks == self.blocks)
        {
            self.modules.pop();
        }
    }

    fn word(&mut self, word: String) {
        match word.as_str() {
            "pub" => {
                self.exported = true;
                if self.peek() == Some(&Token::Mark('(')) {
                    self.skip_to(')');
                }
                return;
            }
            "use" if self.peek() != Some(&Token::Mark('<')) => self.import(Vec::new()),
            "mod" => self.module(),
            _ => self.code(word),
        }
        self.exported = false;
    }

    fn code(&mut self, word: String) {
        let outside = self.blocks == self.modules.len();
        if outside && ITEMS.contains(&word.as_str()) {
            let mut names = self.tokens.iter().skip(self.at);
            if let Some(Token::Word(name)) = names.find(|token| **token != Token::Mark('!')) {
                self.source.definitions.insert(name.clone());
            }
        }
        let before = self.at.checked_sub(2).and_then(|at| self.tokens.get(at));
        self.source.words.insert(word.clone());
        if matches!(before, Some(Token::Separator | Token::Mark('.'))) {
            return;
        }
        let mut path = vec![word];
        while self.peek() == Some(&Token::Separator) {
            self.at += 1;
            if let Some(Token::Word(next)) = self.peek().cloned() {
                self.source.words.insert(next.clone());
                path.push(next);
                self.at += 1;
            } else {
                // A macro's `module::$name`: the module itself.
                self.reference(path);
                return;
            }
        }
        if path.len() > 1 {
            self.reference(path);
        }
    }

    fn reference(&mut self, path: Vec<String>) {
        let module = self.module_path();
        self.source.paths.push(Reference { module, path });
    }

    fn module_path(&self) -> Vec<String> {
        self.modules.iter().map(|(name, _)| name.clone()).collect()
    }

    /// The tree of a `use`, behind the path that leads to it.
    fn import(&mut self, mut path: Vec<String>) {
        let mut name = None;
        while let Some(token) = self.tokens.get(self.at).cloned() {
            match token {
                Token::Word(word) if word == "as" => {
                    if let Some(Token::Word(alias)) = self.tokens.get(self.at + 1) {
                        name = Some(alias.clone());
                    }
                    self.at += 1;
                }
                Token::Word(word) => path.push(word),
                Token::Mark('*') => name = Some("*".to_owned()),
                Token::Mark('{') => {
                    self.at += 1;
                    while !matches!(self.peek(), None | Some(Token::Mark('}'))) {
                        self.import(path.clone());
                        self.at += usize::from(self.peek() == Some(&Token::Mark(',')));
                    }
                    self.at += 1;
                    return;
                }
                Token::Separator => {}
                Token::Mark(_) => break,
            }
            self.at += 1;
        }
        if path.last().is_some_and(|last| last == "self") && path.len() > 1 {
            path.pop();
        }
        let Some(name) = name.or_else(|| path.last().cloned()) else {
            return;
        };
        let module = self.module_path();
        self.source.imports.push(Import {
            name,
            exported: self.exported,
            reference: Reference { module, path },
        });
    }

    fn module(&mut self) {
        let Some(Token::Word(name)) = self.peek().cloned() else {
            return;
        };
        self.at += 1;
        if self.peek() == Some(&Token::Mark('{')) {
            self.modules.push((name, self.blocks));
            self.source.inline_modules.push(self.module_path());
        }
    }

    /// Whether `#[cfg(test)]` follows, without its `#`.
    fn is_test_attribute(&self) -> bool {
        let tokens = self.tokens.get(self.at..).unwrap_or_default();
        let [
            Token::Mark('['),
            Token::Word(cfg),
            Token::Mark('('),
            Token::Word(test),
            Token::Mark(')'),
            ..,
        ] = tokens
        else {
            return matches!(tokens, [Token::Mark('['), Token::Word(test), Token::Mark(']'), ..] if test == "test");
        };
        cfg == "cfg" && test == "test"
    }

    /// Skips an item and its attributes.
    fn skip_item(&mut self) {
        self.skip_to(']');
        let mut blocks = 0_usize;
        while let Some(token) = self.tokens.get(self.at).cloned() {
            self.at += 1;
            match token {
                Token::Mark('{') => blocks += 1,
                Token::Mark('}') if blocks <= 1 => return,
                Token::Mark('}') => blocks -= 1,
                Token::Mark(';') if blocks == 0 => return,
                Token::Word(word) if word == "mod" && blocks == 0 => {
                    if let Some(Token::Word(name)) = self.peek().cloned() {
                        self.source.test_modules.insert(name);
                    }
                }
                _ => {}
            }
        }
    }

    fn skip_to(&mut self, end: char) {
        let rest = self.tokens.get(self.at..).unwrap_or_default();
        let end = rest.iter().position(|token| *token == Token::Mark(end));
        self.at += end.map_or(rest.len(), |end| end + 1);
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }
}

#[test]
fn imports_are_named_one_by_one() {
    let source = Source::read(
        "pub(crate) use a::{b, c::{self, d as e}}; use f::*; fn g() -> impl H + use<> { i::j() }
         mod k { use super::l; } #[cfg(test)] mod tests { use m::n; }",
    );
    let imports: Vec<_> = source
        .imports
        .iter()
        .map(|import| {
            let visibility = if import.exported { "pub " } else { "" };
            let path = import.reference.path.join("::");
            format!("{visibility}{} = {}", import.name, path)
        })
        .collect();
    let expected = [
        "pub b = a::b",
        "pub c = a::c",
        "pub e = a::c::d",
        "* = f",
        "l = super::l",
    ];
    assert_eq!(imports, expected);
    assert_eq!(source.paths.len(), 1);
    assert_eq!(source.test_modules, BTreeSet::from(["tests".to_owned()]));
    assert_eq!(source.inline_modules, [["k"]]);
}
