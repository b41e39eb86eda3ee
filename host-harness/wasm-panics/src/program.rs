//! The parts of a module that the analysis needs: functions, entries, tables and names.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use wasmparser::{
    BinaryReader, ElementItems, ExternalKind, FuncType, FunctionBody, Name, NameSectionReader,
    Operator, Parser, Payload, TypeRef,
};

use crate::error::PanicsError;

#[derive(Default)]
pub(super) struct Program<'a> {
    /// By index; imports come first.
    pub(super) functions: Vec<Function<'a>>,
    /// The functions that the host calls: exports with their names, and the start function.
    pub(super) entries: BTreeMap<u32, String>,
    /// The functions whose address is taken; only these can be called indirectly.
    pub(super) addressed: BTreeSet<u32>,
    /// The custom sections by name.
    pub(super) sections: HashMap<&'a str, &'a [u8]>,
    /// The offset of the code section in the module; DWARF addresses count from there.
    pub(super) code: usize,
    types: Vec<FuncType>,
}

#[derive(Default)]
pub(super) struct Function<'a> {
    /// The mangled name in the module; `module.name` for an import.
    pub(super) name: Option<String>,
    /// The first type that is equal to the function's type.
    pub(super) type_index: u32,
    /// `None` for an import.
    pub(super) body: Option<FunctionBody<'a>>,
}

impl<'a> Program<'a> {
    pub(super) fn read(module: &'a [u8]) -> Result<Self, PanicsError> {
        let mut program = Self::default();
        let mut bodies = Vec::new();
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::CodeSectionStart { range, .. } => program.code = range.start,
                Payload::CodeSectionEntry(body) => bodies.push(body),
                payload => program.take(payload)?,
            }
        }
        let defined = program.functions.iter_mut().filter(|f| f.name.is_none());
        for (function, body) in defined.zip(bodies) {
            program.addressed.extend(references(&body)?);
            function.body = Some(body);
        }
        program.take_names()?;
        Ok(program)
    }

    /// The first type that is equal to this one: a module may define one type twice.
    pub(super) fn type_index(&self, index: u32) -> u32 {
        let ty = self.types.get(index as usize);
        let equal = self.types.iter().position(|other| Some(other) == ty);
        equal
            .and_then(|index| index.try_into().ok())
            .unwrap_or(index)
    }

    /// The number of functions in the module, without imports.
    pub(super) fn bodies(&self) -> usize {
        self.functions.iter().filter(|f| f.body.is_some()).count()
    }

    /// The function is an entry, or can be called indirectly.
    pub(super) fn is_entered_from_elsewhere(&self, function: u32) -> bool {
        self.entries.contains_key(&function) || self.addressed.contains(&function)
    }

    fn take(&mut self, payload: Payload<'a>) -> Result<(), PanicsError> {
        match payload {
            Payload::TypeSection(section) => {
                for ty in section.into_iter_err_on_gc_types() {
                    self.types.push(ty?);
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    if let TypeRef::Func(ty) = import.ty {
                        let name = format!("{}.{}", import.module, import.name);
                        self.add_function(ty, Some(name));
                    }
                }
            }
            Payload::FunctionSection(section) => {
                for ty in section {
                    self.add_function(ty?, None);
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    if export.kind == ExternalKind::Func {
                        self.entries.insert(export.index, export.name.to_owned());
                    }
                }
            }
            Payload::StartSection { func, .. } => {
                self.entries.insert(func, "(start)".to_owned());
            }
            Payload::ElementSection(section) => {
                for element in section {
                    self.take_element(element?.items)?;
                }
            }
            Payload::CustomSection(section) => {
                self.sections.insert(section.name(), section.data());
            }
            _ => {}
        }
        Ok(())
    }

    fn add_function(&mut self, ty: u32, name: Option<String>) {
        self.functions.push(Function {
            name,
            type_index: self.type_index(ty),
            body: None,
        });
    }

    fn take_element(&mut self, items: ElementItems<'a>) -> Result<(), PanicsError> {
        match items {
            ElementItems::Functions(functions) => {
                for function in functions {
                    self.addressed.insert(function?);
                }
            }
            ElementItems::Expressions(_, expressions) => {
                for expression in expressions {
                    for operator in expression?.get_operators_reader() {
                        self.addressed.extend(reference(&operator?));
                    }
                }
            }
        }
        Ok(())
    }

    fn take_names(&mut self) -> Result<(), PanicsError> {
        let data = self.sections.get("name").ok_or(PanicsError::Stripped)?;
        let section = NameSectionReader::new(BinaryReader::new(data, 0));
        let mut named = false;
        for name in section {
            let Name::Function(names) = name? else {
                continue;
            };
            for naming in names {
                let naming = naming?;
                if let Some(function) = self.functions.get_mut(naming.index as usize) {
                    function.name.get_or_insert_with(|| naming.name.to_owned());
                    named = true;
                }
            }
        }
        if named {
            Ok(())
        } else {
            Err(PanicsError::Stripped)
        }
    }
}

fn references(body: &FunctionBody<'_>) -> Result<Vec<u32>, PanicsError> {
    let mut references = Vec::new();
    for operator in body.get_operators_reader()? {
        references.extend(reference(&operator?));
    }
    Ok(references)
}

fn reference(operator: &Operator<'_>) -> Option<u32> {
    match operator {
        Operator::RefFunc { function_index } => Some(*function_index),
        _ => None,
    }
}
