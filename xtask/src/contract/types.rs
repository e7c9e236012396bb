//! Renders types and functions as text, in WIT's own syntax.

use wit_parser::{Function, FunctionKind, Handle, Type, TypeDef, TypeDefKind, TypeId};

use super::read::Contract;

/// A piece of a type's text.
pub(super) enum Piece<'a> {
    /// Keywords, brackets, commas.
    Plain(String),
    /// A type with a name.
    Named(&'a TypeDef),
}

impl Contract {
    /// A type in pieces, so that names can become links.
    pub(super) fn pieces(&self, ty: &Type) -> Vec<Piece<'_>> {
        match ty {
            Type::Id(id) => self.pieces_of(*id),
            Type::Bool => plain("bool"),
            Type::U8 => plain("u8"),
            Type::U16 => plain("u16"),
            Type::U32 => plain("u32"),
            Type::U64 => plain("u64"),
            Type::S8 => plain("s8"),
            Type::S16 => plain("s16"),
            Type::S32 => plain("s32"),
            Type::S64 => plain("s64"),
            Type::F32 => plain("f32"),
            Type::F64 => plain("f64"),
            Type::Char => plain("char"),
            Type::String => plain("string"),
            Type::ErrorContext => plain("error-context"),
        }
    }

    fn pieces_of(&self, id: TypeId) -> Vec<Piece<'_>> {
        let def = self.original(id);
        if def.name.is_some() {
            return vec![Piece::Named(def)];
        }
        match &def.kind {
            TypeDefKind::Option(inner) => self.around("option<", &[*inner]),
            TypeDefKind::List(inner) => self.around("list<", &[*inner]),
            TypeDefKind::Tuple(tuple) => self.around("tuple<", &tuple.types),
            TypeDefKind::Result(result) => match (result.ok, result.err) {
                (Some(ok), Some(err)) => self.around("result<", &[ok, err]),
                (Some(ok), None) => self.around("result<", &[ok]),
                _ => plain("result"),
            },
            TypeDefKind::Handle(Handle::Own(id) | Handle::Borrow(id)) => self.pieces_of(*id),
            TypeDefKind::Type(ty) => self.pieces(ty),
            other => plain(other.as_str()),
        }
    }

    fn around(&self, open: &str, inner: &[Type]) -> Vec<Piece<'_>> {
        let mut pieces = plain(open);
        for (at, ty) in inner.iter().enumerate() {
            if at > 0 {
                pieces.extend(plain(", "));
            }
            pieces.extend(self.pieces(ty));
        }
        pieces.extend(plain(">"));
        pieces
    }

    /// Follows `use` to the type's definition.
    pub(super) fn original(&self, id: TypeId) -> &TypeDef {
        let def = &self.resolve.types[id];
        match &def.kind {
            TypeDefKind::Type(Type::Id(inner)) if self.resolve.types[*inner].name == def.name => self.original(*inner),
            _ => def,
        }
    }

    /// A type as plain text, with the interfaces of the types in it: `list<types.header>`.
    pub(super) fn text(&self, ty: &Type) -> String {
        let spelled = |piece: Piece<'_>| match piece {
            Piece::Plain(text) => text,
            Piece::Named(def) => {
                let name = def.name.as_deref().unwrap_or_default();
                self.home(def).map_or_else(|| name.to_owned(), |(_, interface)| format!("{interface}.{name}"))
            }
        };
        self.pieces(ty).into_iter().map(spelled).collect()
    }

    /// Everything that the contract defines, without its comments: each item's name and text.
    pub(super) fn items(&self) -> Vec<(String, String)> {
        let mut items: Vec<_> = self.worlds.iter().map(|(name, has)| (format!("world {name}"), has.clone())).collect();
        for interface in self.files.iter().flat_map(|file| self.interfaces(file)) {
            let own = interface.name.as_deref().unwrap_or_default();
            for (name, id) in &interface.types {
                let def = &self.resolve.types[*id];
                if std::ptr::eq(self.original(*id), def) {
                    items.push((format!("{own}.{name}"), self.declaration(def)));
                }
            }
            for function in interface.functions.values() {
                items.push((format!("{own}.{}", self.name(function)), self.signature(function)));
            }
        }
        items
    }

    fn declaration(&self, def: &TypeDef) -> String {
        let typed = |name: &str, ty: Option<&Type>| match ty {
            Some(ty) => format!("{name}: {}", self.text(ty)),
            None => name.to_owned(),
        };
        let members: Vec<String> = match &def.kind {
            TypeDefKind::Record(record) => record.fields.iter().map(|f| typed(&f.name, Some(&f.ty))).collect(),
            TypeDefKind::Variant(variant) => variant.cases.iter().map(|c| typed(&c.name, c.ty.as_ref())).collect(),
            TypeDefKind::Enum(own) => own.cases.iter().map(|case| case.name.clone()).collect(),
            TypeDefKind::Flags(flags) => flags.flags.iter().map(|flag| flag.name.clone()).collect(),
            TypeDefKind::Type(ty) => vec![self.text(ty)],
            TypeDefKind::Resource => Vec::new(),
            _ => return "another type".to_owned(),
        };
        format!("{} {{ {} }}", def.kind.as_str(), members.join(", "))
    }

    fn signature(&self, function: &Function) -> String {
        let params: Vec<String> = params(function).map(|(name, ty)| format!("{name}: {}", self.text(ty))).collect();
        let result = function.result.as_ref().map(|ty| format!(" -> {}", self.text(ty))).unwrap_or_default();
        format!("func({}){result}", params.join(", "))
    }

    /// A function's name: `render-request`, `chat-decoder.push`, `chat-decoder.constructor`.
    pub(super) fn name(&self, function: &Function) -> String {
        let resource = function.kind.resource().and_then(|id| self.resolve.types[id].name.as_deref());
        resource.map_or_else(|| function.name.clone(), |resource| format!("{resource}.{}", function.item_name()))
    }
}

/// A function's parameters, without a method's `self`.
pub(super) fn params(function: &Function) -> impl Iterator<Item = (&str, &Type)> {
    let own = usize::from(matches!(function.kind, FunctionKind::Method(_)));
    function.params.iter().skip(own).map(|param| (param.name.as_str(), &param.ty))
}

fn plain(text: &str) -> Vec<Piece<'static>> {
    vec![Piece::Plain(text.to_owned())]
}
